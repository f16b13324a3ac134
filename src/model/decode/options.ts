import { EARLY_STOPPING } from "../../kernels/beam_step.js";
import { OptionError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { checkCall, checkDefaults } from "./option_rules.js";

/** Options of `generate()`, named and meant as in Transformers' generation_config.json; the call's win over the checkpoint's. */
export interface GenerateOptions {
  /** Beams a sentence, 1 to 32; 1 is greedy search. Default 1. */
  readonly num_beams?: number;
  /** Beams in groups that avoid one another's tokens (diverse beam search, Vijayakumar et al. 2016); divides num_beams. Default 1. */
  readonly num_beam_groups?: number;
  /** Taken off a token's log-probability for every beam of an earlier group that chose it at the same step. Default 0. */
  readonly diversity_penalty?: number;
  /** Hypotheses returned a sentence, best first, at most num_beams. Default 1. */
  readonly num_return_sequences?: number;
  /** Beam scores are log-probability / generated length ^ length_penalty. Default 1. */
  readonly length_penalty?: number;
  /** Stop a sentence: true, at num_beams hypotheses; false, when no beam is likely to do better; "never", when none can. Default false. */
  readonly early_stopping?: boolean | "never";
  /** Most tokens of a result, the start token counted. Default 20. */
  readonly max_length?: number;
  /** Most tokens generated; wins over max_length. */
  readonly max_new_tokens?: number;
  readonly min_length?: number;
  readonly min_new_tokens?: number;
  readonly repetition_penalty?: number;
  /** Subtracted from the score of every token that the row has. Default 0. */
  readonly presence_penalty?: number;
  readonly no_repeat_ngram_size?: number;
  readonly bad_words_ids?: readonly (readonly number[])[];
  readonly suppress_tokens?: readonly number[];
  readonly begin_suppress_tokens?: readonly number[];
  readonly forced_bos_token_id?: number;
  readonly forced_eos_token_id?: number;
  readonly eos_token_id?: number | readonly number[];
  readonly pad_token_id?: number;
  readonly decoder_start_token_id?: number;
  /** Normalise log-probabilities again after the rules above. Default false. */
  readonly renormalize_logits?: boolean;
  /** Draw tokens instead of taking the best. Default false. */
  readonly do_sample?: boolean;
  /** Divides the logits before sampling. Default 1. */
  readonly temperature?: number;
  /** Sample among this many best tokens; 0 is all. Default 50. */
  readonly top_k?: number;
  /** Sample among the best tokens whose probabilities sum to this. Default 1. */
  readonly top_p?: number;
  /** Sample among tokens at least this fraction as probable as the best. Default 0. */
  readonly min_p?: number;
  /** The same seed draws the same tokens on every runtime. Drawn anew for each call when absent. */
  readonly seed?: number;
  /** Return the log-probability of each generated token, after the rules above. Default false. */
  readonly output_scores?: boolean;
  /** A row ends with the token that completes one of these texts in it. Needs tokenizer.json, and num_beams 1. */
  readonly stop_strings?: string | readonly string[];
  /**
   * Changes the scores of a step on the host: the one slow path, it waits for the device at every step. `ids[r]` is row r so
   * far, `scores[r]` its V scores after the rules above (logits, or log-probabilities with beams), to be changed in place.
   */
  readonly logits_processor?: LogitsProcessor;
}

export type LogitsProcessor = (ids: readonly number[][], scores: readonly Float32Array[]) => void | Promise<void>;

/** How `sample` draws. */
export interface Sampling {
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly min_p: number;
  readonly seed: number;
}

/** Every option settled. */
export interface Generation {
  /** num_beams: beams of a prompt. */
  readonly beams: number;
  /** Beams of a sentence: of a group. */
  readonly W: number;
  readonly groups: number;
  readonly diversity_penalty: number;
  readonly returned: number;
  /** Sentences drawn a prompt; 1 without sampling. */
  readonly samples: number;
  readonly sampling: Sampling | undefined;
  readonly length_penalty: number;
  readonly early_stopping: number;
  /** Most tokens generated a sentence. */
  readonly newTokens: number;
  readonly min_new_tokens: number;
  readonly repetition_penalty: number;
  readonly presence_penalty: number;
  readonly no_repeat_ngram_size: number;
  readonly banned: readonly (readonly number[])[];
  readonly suppress: readonly number[];
  readonly begin_suppress: readonly number[];
  readonly forced_bos: number | undefined;
  readonly forced_eos: number | undefined;
  readonly end: readonly number[];
  readonly pad: number;
  readonly start: number;
  readonly renormalize: boolean;
  readonly output_scores: boolean;
  readonly stop_strings: readonly string[];
  readonly logits_processor: LogitsProcessor | undefined;
}

/**
 * Settles the options of one call. `V` vocabulary, `P` the most positions a target can have, `prompt` tokens of each target that
 * are given (the start token; the width of the prompts, padding included, without an encoder).
 * Throws OptionError for an unknown option or a value outside its range, naming both and the cure.
 */
export function settle(
  call: Json,
  checkpoint: Json,
  V: number,
  P: number,
  prompt: number,
  decoderOnly = false,
): Generation {
  const o: GenerateOptions = {
    ...checkDefaults(checkpoint, V),
    ...checkCall(call, V),
  };
  const beams = o.num_beams ?? 1;
  const groups = o.num_beam_groups ?? 1;
  const returned = o.num_return_sequences ?? 1;
  if (o.do_sample && beams > 1)
    throw new OptionError(`generate: num_beams must be 1 with do_sample, got ${beams}; beams are searched, not drawn`);
  if (returned > beams && !o.do_sample)
    throw new OptionError(
      `generate: num_return_sequences must be at most num_beams=${beams}, got ${returned}; raise num_beams or set do_sample`,
    );
  if (beams % groups) throw new OptionError(`generate: num_beam_groups must divide num_beams=${beams}, got ${groups}`);
  if (groups > 1 !== (o.diversity_penalty ?? 0) > 0)
    throw new OptionError(
      `generate: num_beam_groups above 1 and diversity_penalty above 0 go together, got ${groups} and ${o.diversity_penalty ?? 0}`,
    );
  const stray = o.do_sample
    ? undefined
    : SAMPLING.find((key) => (call as GenerateOptions)[key] !== undefined && (call as GenerateOptions)[key] !== null);
  if (stray) throw new OptionError(`generate: ${stray} acts only with do_sample: true, which is not set`);
  if (o.stop_strings !== undefined && beams > 1)
    throw new OptionError(
      `generate: num_beams must be 1 with stop_strings, got ${beams}; use eos_token_id to end beams`,
    );
  const limit = o.max_new_tokens !== undefined ? prompt + o.max_new_tokens : (o.max_length ?? 20);
  const named = o.max_new_tokens !== undefined ? "max_new_tokens" : "max_length";
  if (limit <= prompt)
    throw new OptionError(
      `generate: max_length must be above the ${prompt} given tokens, got ${limit}; raise it or give max_new_tokens`,
    );
  if (limit - 1 > P)
    throw new OptionError(
      `generate: ${named} must leave at most ${P} positions (max_position_embeddings), got ${limit - 1}; lower it to ${named === "max_length" ? P + 1 : P + 1 - prompt}`,
    );
  const end = o.eos_token_id === undefined ? [] : [o.eos_token_id].flat();
  const start = o.decoder_start_token_id;
  if (start === undefined && !decoderOnly)
    throw new OptionError("generate: decoder_start_token_id must be given, by the checkpoint or by the call");
  const least = Math.max(2, 1 + end.length);
  if (V < least)
    throw new OptionError(
      `generate: a beam search with ${end.length} end ids needs a vocabulary of at least ${least}, got ${V}`,
    );
  const candidates = (1 + end.length) * (beams / groups) + beams - beams / groups;
  if (beams > 1 && candidates > 64)
    throw new OptionError(
      `generate: num_beams must be at most ${Math.floor((64 * beams) / candidates)} with ${end.length} end ids, got ${beams}`,
    );
  return {
    beams,
    W: beams / groups,
    groups,
    diversity_penalty: o.diversity_penalty ?? 0,
    returned,
    newTokens: limit - prompt,
    start: start ?? 0,
    end,
    samples: o.do_sample ? returned : 1,
    sampling: o.do_sample ? settleSampling(o) : undefined,
    length_penalty: o.length_penalty ?? 1,
    early_stopping:
      beams === 1
        ? EARLY_STOPPING.true
        : EARLY_STOPPING[String(o.early_stopping ?? false) as keyof typeof EARLY_STOPPING],
    min_new_tokens: Math.max(o.min_new_tokens ?? 0, (o.min_length ?? 0) - prompt), // min_length counts the prompt
    repetition_penalty: o.repetition_penalty ?? 1,
    presence_penalty: o.presence_penalty ?? 0,
    no_repeat_ngram_size: o.no_repeat_ngram_size ?? 0,
    // Transformers drops banned words that are an end id alone.
    banned: (o.bad_words_ids ?? []).filter((words) => words.length > 1 || !end.includes(words[0])),
    suppress: o.suppress_tokens ?? [],
    begin_suppress: o.begin_suppress_tokens ?? [],
    forced_bos: o.forced_bos_token_id,
    forced_eos: o.forced_eos_token_id,
    pad: o.pad_token_id ?? end[0] ?? 0,
    renormalize: o.renormalize_logits ?? false,
    output_scores: o.output_scores ?? false,
    stop_strings: [o.stop_strings ?? []].flat(),
    logits_processor: o.logits_processor,
  };
}

const SAMPLING = ["temperature", "top_k", "top_p", "min_p", "seed"] as const;

function settleSampling({ temperature = 1, top_k = 50, top_p = 1, min_p = 0, seed }: GenerateOptions): Sampling {
  return { temperature, top_k, top_p, min_p, seed: seed ?? crypto.getRandomValues(new Uint32Array(1))[0] };
}

/** Whether any rule acts on the scores, so that a step needs `logits_process`. */
export function hasRules(g: Generation): boolean {
  const lists = [g.banned, g.suppress, g.begin_suppress].some((list) => list.length > 0);
  const forced = g.forced_bos !== undefined || g.forced_eos !== undefined;
  const penalties = g.repetition_penalty !== 1 || g.presence_penalty !== 0 || g.no_repeat_ngram_size > 0;
  return lists || forced || penalties || g.min_new_tokens > 0 || g.logits_processor !== undefined;
}
