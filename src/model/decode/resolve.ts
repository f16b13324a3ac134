import { NO_ID } from "../../kernels/constants.js";
import { type beamStep, candidateCount, EARLY_STOPPING } from "../../kernels/beam_step.js";
import type { logitsProcess, RuleLists } from "../../kernels/logits_process.js";
import type { sample } from "../../kernels/sample.js";
import { MOST_CANDIDATES } from "../../kernels/topk.js";
import { OptionError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { checkCall, checkDefaults, checkTogether } from "./option_checks.js";
import { type AllOptions, type GenerateOptions, groupOf, type LogitsProcessor, withDefaults } from "./options.js";

type Parameters<K extends { readonly params: readonly string[] }> = Readonly<Record<K["params"][number], number>>;

/** All that the options of a call ask for, grouped as the kernels take it. */
export interface Generation {
  /** Beams a prompt. */
  readonly beams: number;
  /** Sentences a prompt, each of which is searched by itself: samples, or groups of beams. */
  readonly n: number;
  /** Beams a sentence. */
  readonly W: number;
  /** Candidates that a step keeps of each row (`candidateCount`). */
  readonly C: number;
  /** Parameters of `beam_step`. */
  readonly beamStep: Omit<Parameters<typeof beamStep>, "W" | "V" | "group">;
  /** Parameters of `logits_process`. */
  readonly rules: Parameters<typeof logitsProcess>;
  /** Its lists of ids. */
  readonly lists: RuleLists;
  /** Parameters of `sample`; undefined where the best tokens are taken. */
  readonly sampling: Parameters<typeof sample> | undefined;
  /** Whether log-probabilities are normalised again after the rules. */
  readonly renormalize: boolean;
  readonly logits_processor: LogitsProcessor | undefined;
  /** Most tokens generated for a sentence. */
  readonly newTokens: number;
  /** The start token. */
  readonly start: number;
  /** The padding token. */
  readonly pad: number;
  /** Results a prompt. */
  readonly returned: number;
  readonly output_scores: boolean;
  readonly stop_strings: readonly string[];
}

/** The options of a call, and what they depend on. */
export interface OptionContext {
  /** The options given in the call. */
  readonly call: GenerateOptions;
  /** generation_config.json. */
  readonly checkpoint: Json;
  /** Vocabulary. */
  readonly V: number;
  /** Most positions of a target. */
  readonly P: number;
  /** How many tokens of each target are given: those of the longest prompt, padding included. */
  readonly given: number;
  readonly decoderOnly?: boolean;
}

/**
 * The options of a call as the search takes them. Throws OptionError for an unknown option or a value outside its
 * range, naming both and the cure.
 */
export function resolveOptions({ call, checkpoint, V, P, given, decoderOnly }: OptionContext): Generation {
  const o = withDefaults({
    ...checkDefaults(checkpoint, V),
    ...checkCall(call, V),
  });
  const { num_beams: beams, num_beam_groups: groups, num_return_sequences: returned } = o;
  checkTogether(o, call);
  const newTokens = countNew(o, P, given);
  const end = o.eos_token_id === undefined ? [] : [o.eos_token_id].flat();
  if (o.decoder_start_token_id === undefined && !decoderOnly)
    throw new OptionError("generate: decoder_start_token_id must be given, by the checkpoint or by the call");
  const C = countCandidates(o, end.length);
  const { length_penalty, diversity_penalty, logits_processor, output_scores } = o;
  return {
    beams,
    n: o.do_sample ? returned : groups,
    W: beams / groups,
    C,
    beamStep: { groups, length_penalty, diversity_penalty, early_stopping: stopCode(o) },
    rules: scoreRules(o, given),
    lists: {
      end,
      suppress: o.suppress_tokens,
      begin_suppress: o.begin_suppress_tokens,
      // Transformers drops banned words that are an end id alone.
      banned: o.bad_words_ids.filter((words) => words.length > 1 || !end.includes(words[0])),
    },
    sampling: o.do_sample
      ? { ...groupOf(o, "sampling"), seed: o.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] }
      : undefined,
    renormalize: o.renormalize_logits,
    logits_processor,
    newTokens,
    start: o.decoder_start_token_id ?? 0,
    pad: o.pad_token_id ?? end[0] ?? 0,
    returned,
    output_scores,
    stop_strings: [o.stop_strings ?? []].flat(),
  };
}

/**
 * The most tokens that are generated for a sentence. Throws OptionError when that is none, or more than there are
 * positions.
 */
function countNew({ max_length, max_new_tokens }: AllOptions, P: number, given: number): number {
  const limit = max_new_tokens === undefined ? max_length : given + max_new_tokens;
  const [name, most] = max_new_tokens === undefined ? ["max_length", P + 1] : ["max_new_tokens", P + 1 - given];
  if (limit <= given)
    throw new OptionError(
      `generate: max_length must be above the ${given} given tokens, got ${limit}; raise it or give max_new_tokens`,
    );
  if (limit - 1 > P)
    throw new OptionError(
      `generate: ${name} must leave at most ${P} positions (max_position_embeddings), got ${limit - 1}; lower it to ${most}`,
    );
  return limit - given;
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

/** The parameter `early_stopping` of `beam_step`; greedy search ends with its first hypothesis. */
const stopCode = ({ num_beams, early_stopping }: AllOptions): number =>
  EARLY_STOPPING[num_beams === 1 ? "true" : (String(early_stopping) as keyof typeof EARLY_STOPPING)];

/** The parameters of `logits_process` after `given` tokens. */
function scoreRules(o: AllOptions, given: number): Generation["rules"] {
  return {
    ...groupOf(o, "penalties"),
    min_new_tokens: Math.max(o.min_new_tokens, o.min_length - given), // min_length counts the prompt
    forced_bos: o.forced_bos_token_id ?? NO_ID,
    forced_eos: o.forced_eos_token_id ?? NO_ID,
    begin: o.forced_bos_token_id === undefined ? 0 : 1,
  };
}

const NO_RULES = scoreRules(withDefaults({}), 0);

/** Whether any rule changes the scores, so that a step needs `logits_process`. */
export function hasRules({ rules, lists, logits_processor }: Generation): boolean {
  const names = Object.keys(rules) as (keyof typeof rules)[];
  return (
    names.some((name) => rules[name] !== NO_RULES[name]) ||
    [lists.suppress, lists.begin_suppress, lists.banned].some((list) => list.length > 0) ||
    logits_processor !== undefined
  );
}
