import { NO_ID } from "../../kernels/constants.js";
import { EARLY_STOPPING } from "../../kernels/beam_reference.js";
import { candidateCount } from "../../kernels/beam_step.js";
import type { RuleLists } from "../../kernels/logits_process.js";
import { MOST_CANDIDATES } from "../../kernels/topk.js";
import { OptionError } from "../../runtime/errors.js";
import { hypothesesOf } from "./option_checks.js";
import { type AllOptions, type GenerateOptions, groupOf, type LogitsProcessor, withDefaults } from "./options.js";

type Numbers<K extends string> = Readonly<Record<K, number>>;

/** The settings of `beam_step`, `logits_process` and `sample` that options make. */
type BeamSettings = Numbers<
  "A" | "groups" | "length_penalty" | "coverage_penalty" | "diversity_penalty" | "early_stopping"
>;
type RuleSettings = Numbers<
  | "repetition_penalty"
  | "presence_penalty"
  | "no_repeat_ngram_size"
  | "min_new_tokens"
  | "forced_eos"
  | "begin"
  | "no_timestamps"
  | "max_initial"
>;
type SamplingSettings = Numbers<"temperature" | "top_k" | "top_p" | "min_p" | "seed">;

/** All that the options of a call ask for, grouped as the kernels take it. */
export interface Generation {
  /** Beams a prompt. */
  readonly beams: number;
  /** Sentences a prompt, each of which is searched by itself: samples, or groups of beams. */
  readonly n: number;
  /** Beams a sentence. */
  readonly W: number;
  /** Candidates that a step needs of each row (`candidateCount`). */
  readonly C: number;
  /** Candidates of each row that the host reads, to show them; with 0 it reads none. */
  readonly shown: number;
  /** Whose beam search. */
  readonly search: AllOptions["search"];
  /** Settings of `beam_step`. */
  readonly beamStep: BeamSettings;
  /** Settings of `logits_process`. */
  readonly rules: RuleSettings;
  /** Its lists of ids. */
  readonly lists: RuleLists;
  /** Whether any of these changes scores. */
  readonly ruled: boolean;
  /** Settings of `sample`; undefined where the best tokens are taken. */
  readonly sampling: SamplingSettings | undefined;
  /** Whether log-probabilities are normalised again after the rules. */
  readonly renormalize: boolean;
  readonly logits_processor: LogitsProcessor | undefined;
  /** Most tokens generated for a sentence. */
  readonly newTokens: number;
  /** The token that is generated first for each prompt; NO_ID where any may be. */
  readonly forced_bos: readonly number[];
  /** The padding token. */
  readonly pad: number;
  /** Results a prompt. */
  readonly returned: number;
  readonly output_scores: boolean;
  /** How many of the best tokens of each step the results have. */
  readonly top_logprobs: number;
  readonly output_attentions: boolean;
  readonly stop_strings: readonly string[];
}

/** What the meaning of options depends on. */
export interface OptionContext {
  /** The number of prompts. */
  readonly B: number;
  /** The options given in the call itself. */
  readonly call: GenerateOptions;
  /** Most positions of a target. */
  readonly P: number;
  /** How many columns of the result the given tokens take: those of the longest prompt, padding included. */
  readonly width: number;
  /** How many tokens the longest prompt has, without padding. */
  readonly longest: number;
}

/**
 * The options of a call as the search takes them. Throws OptionError for lengths, beams and penalties that do not fit
 * this call, naming the cure.
 */
export function resolveOptions(o: AllOptions, context: OptionContext): Generation {
  const { B, width } = context;
  const { num_beams: beams, num_beam_groups: groups, num_return_sequences: returned } = o;
  const newTokens = countNew(o, context);
  const { end, pad } = specialTokens(o);
  checkForced(o, width);
  checkLengthPenalty(o, newTokens);
  const C = countCandidates(o, end.length);
  const { length_penalty, coverage_penalty, diversity_penalty, logits_processor } = o;
  const { output_scores, output_attentions, top_logprobs } = o;
  const rules = scoreRules(o, width);
  const lists = {
    end,
    suppress: o.suppress_tokens,
    begin_suppress: o.begin_suppress_tokens,
    // Transformers drops banned words that are an end id alone.
    banned: o.bad_words_ids.filter((words) => words.length > 1 || !end.includes(words[0])),
  };
  return {
    beams,
    n: o.do_sample ? returned : groups,
    W: beams / groups,
    C,
    shown: countShown(o),
    search: o.search,
    beamStep: {
      A: hypothesesOf(o) / groups,
      groups,
      length_penalty,
      coverage_penalty,
      diversity_penalty,
      early_stopping: stopCode(o),
    },
    rules,
    lists,
    ruled: changesScores({ rules, lists, logits_processor }),
    sampling: o.do_sample
      ? { ...groupOf(o, "sampling"), seed: o.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] }
      : undefined,
    renormalize: o.renormalize_logits,
    logits_processor,
    newTokens,
    forced_bos: oneEach("forced_bos_token_id", o.forced_bos_token_id ?? NO_ID, B),
    pad: pad ?? 0,
    returned: o.return_alternatives ? 1 : returned,
    output_scores,
    top_logprobs,
    output_attentions,
    stop_strings: [o.stop_strings ?? []].flat(),
  };
}

/** The options that name tokens with a role. */
export type SpecialOptions = Pick<
  AllOptions,
  "eos_token_id" | "pad_token_id" | "decoder_start_token_id" | "bos_token_id"
>;

/** The tokens that begin, end and fill rows. */
export function specialTokens(o: SpecialOptions) {
  const end = o.eos_token_id === undefined ? [] : [o.eos_token_id].flat();
  return { end, pad: o.pad_token_id ?? end[0], start: o.decoder_start_token_id ?? o.bos_token_id };
}

/** An id for each of B prompts. Throws OptionError for a list of another length. */
export function oneEach(name: string, ids: number | readonly number[], B: number): readonly number[] {
  if (typeof ids === "number") return Array<number>(B).fill(ids);
  if (ids.length === B) return ids;
  throw new OptionError(`generate: ${name} must be one id, or one for each of the ${B} prompts, got ${ids.length}`);
}

const DEFAULT_NEW_TOKENS = 20;

/**
 * The most tokens that are generated for a sentence. A limit of the checkpoint, or none, ends where the positions end.
 * Throws OptionError when that is none, or when the call asks for more than there are positions.
 */
function countNew(o: AllOptions, { call, P, width, longest }: OptionContext): number {
  const room = P + 1 - longest; // the last token is not fed
  const capped = Math.max(1, room - 1); // Transformers ends where the position table does
  const name = o.max_new_tokens === undefined ? "max_length" : "max_new_tokens";
  const limit = o[name];
  if (limit === undefined) return Math.min(DEFAULT_NEW_TOKENS, capped);
  const before = name === "max_length" ? width : 0;
  if (limit <= before)
    throw new OptionError(
      `generate: max_length must be above the ${width} given tokens, got ${limit}; raise it or give max_new_tokens`,
    );
  if (limit - before <= room) return limit - before;
  if ((call[name] ?? undefined) === undefined) return capped;
  throw new OptionError(
    `generate: ${name} must leave at most ${P} positions (max_position_embeddings), got ${longest + limit - before - 1}; lower it to ${before + room}`,
  );
}

/** Throws OptionError for a token that is both forced and suppressed. */
function checkForced(o: AllOptions, width: number): void {
  for (const name of ["forced_bos_token_id", "forced_eos_token_id"] as const) {
    const id = [o[name] ?? []].flat().find((forced) => o.suppress_tokens.includes(forced));
    if (id === undefined || (name === "forced_bos_token_id" && width > 1)) continue;
    throw new OptionError(`generate: suppress_tokens must not hold ${name}=${id}, which is forced; drop one of them`);
  }
}

/** Throws OptionError for a length penalty whose powers the device's f32 cannot hold. */
function checkLengthPenalty({ num_beams, length_penalty }: AllOptions, newTokens: number): void {
  const most = Math.floor(30 / Math.log10(Math.max(10, newTokens)));
  if (num_beams > 1 && Math.abs(length_penalty) > most)
    throw new OptionError(
      `generate: length_penalty must be from -${most} to ${most} for ${newTokens} new tokens, got ${length_penalty}`,
    );
}

/** The number of candidates a row. Throws OptionError when it exceeds what the kernels can hold. */
function countCandidates({ num_beams, num_beam_groups }: AllOptions, ends: number): number {
  const C = candidateCount(num_beams / num_beam_groups, ends, num_beams);
  if (C > MOST_CANDIDATES)
    throw new OptionError(
      `generate: num_beams must be at most ${MOST_CANDIDATES - ends} with ${ends} end ids, got ${num_beams}`,
    );
  return C;
}

/** How many candidates of a row have the best tokens, also where other groups displace some. Throws OptionError. */
function countShown({ num_beams, num_beam_groups, top_logprobs }: AllOptions): number {
  const displaced = num_beams - num_beams / num_beam_groups;
  if (top_logprobs > MOST_CANDIDATES - displaced)
    throw new OptionError(
      `generate: top_logprobs must be at most ${MOST_CANDIDATES - displaced} with num_beam_groups=${num_beam_groups}, got ${top_logprobs}`,
    );
  return top_logprobs && top_logprobs + displaced;
}

/** The parameter `early_stopping` of `beam_step`; greedy search ends with its first hypothesis. */
const stopCode = ({ num_beams, early_stopping }: AllOptions): number =>
  EARLY_STOPPING[num_beams === 1 ? "true" : (String(early_stopping) as keyof typeof EARLY_STOPPING)];

/** The parameters of `logits_process` after `given` tokens. */
function scoreRules(o: AllOptions, given: number): Generation["rules"] {
  return {
    ...groupOf(o, "penalties"),
    min_new_tokens: o.min_new_tokens ?? Math.max(0, o.min_length - given), // min_length counts the prompt
    forced_eos: o.forced_eos_token_id ?? NO_ID,
    begin: o.forced_bos_token_id === undefined ? 0 : 1,
    no_timestamps: (o.return_timestamps ? o.no_timestamps_token_id : undefined) ?? NO_ID,
    max_initial: (o.return_timestamps ? o.max_initial_timestamp_index : undefined) ?? NO_ID,
  };
}

const NO_RULES = scoreRules(withDefaults({}), 0);

/** Whether any rule changes the scores. */
function changesScores({
  rules,
  lists,
  logits_processor,
}: Pick<Generation, "rules" | "lists" | "logits_processor">): boolean {
  const names = Object.keys(rules) as (keyof typeof rules)[];
  return (
    names.some((name) => rules[name] !== NO_RULES[name]) ||
    [lists.suppress, lists.begin_suppress, lists.banned].some((list) => list.length > 0) ||
    logits_processor !== undefined
  );
}

/** Whether any rule changes the scores, so that a step needs `logits_process`. */
export const hasRules = ({ ruled }: Generation): boolean => ruled;

/** Whether the scores from which tokens are chosen already are log-probabilities, 1, or logits, 0. */
export const asLogProbs = (g: Generation): number => Number(hasRules(g) && g.beams > 1 && !g.renormalize);
