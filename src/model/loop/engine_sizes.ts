import { MOST_CANDIDATES } from "../../kernels/topk.js";
import { checkOptions, type Rule, wholeNumber } from "../../runtime/checks.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import type { DecoderArchitecture } from "../graph/architecture.js";
import { lengthOf } from "../inputs.js";
import type { Job } from "../decode/job.js";
import { type LoopSizes, slotsOf } from "./sizes.js";
import { MAX_BEAMS } from "../decode/options.js";
import { listLength } from "./places.js";
import type { Generation } from "../decode/resolve.js";

/** How much an engine can hold. */
export interface EngineOptions {
  /** Rows that decode together: each beam and each sample takes one. Default 16. */
  readonly rows?: number;
  /** Most tokens of a row, its prompt included. Default 2,048, or fewer where the model has fewer positions. */
  readonly length?: number;
  /** Cache slots: a token of a prompt takes one for all its beams and samples, a generated token one of each. Default 256 a row, or `length` if that is more. */
  readonly slots?: number;
  /** Most beams of a prompt. Default 8. */
  readonly beams?: number;
  /** Slots that keep prompts after their requests, for later ones that begin alike. Default half of `slots`; 0 keeps none. */
  readonly prefixes?: number;
  /** Models with an encoder: rows of sources that the running requests attend to. Default 256 a row, or one longest source. */
  readonly sources?: number;
  /** Tokens of prompts that are read beside a step, so that those that decode wait no longer. Default 256. */
  readonly chunk?: number;
  /** Requests that wait at most; one more is refused with EngineFullError. Default 1,024. */
  readonly waiting?: number;
}

/** The sizes of an engine. */
export interface EngineSizes {
  readonly loop: LoopSizes;
  readonly prefixes: number;
  readonly chunk: number;
  readonly waiting: number;
}

const LISTS = 16384; // numbers in the lists of all that runs

/** The values that they may have; a model says how long `length` may be. */
export const ENGINE_RULES: { readonly [K in keyof Required<EngineOptions>]: Rule } = {
  rows: wholeNumber(1, 1024),
  length: wholeNumber(2),
  slots: wholeNumber(1),
  beams: wholeNumber(1, MAX_BEAMS),
  prefixes: wholeNumber(0),
  sources: wholeNumber(1),
  chunk: wholeNumber(1, 2048),
  waiting: wholeNumber(1),
};

/** What the options of an engine come to for a model. Throws OptionError. */
export function engineSizes({ encoder, decoder: { P } }: DecoderArchitecture, options: EngineOptions): EngineSizes {
  checkOptions("engine", options, { ...ENGINE_RULES, length: wholeNumber(2, P) });
  const { rows: R = 16, length: M = Math.min(P, 2048), beams: W = Math.min(8, options.rows ?? 16) } = options;
  const { slots: Z = Math.max(256 * R, M), chunk = 256, waiting = 1024 } = options;
  const { prefixes = encoder ? 0 : Math.floor(Z / 2) } = options;
  const longest = encoder ? Math.min(encoder.P, 4096) : 1;
  if (W > R) throw new OptionError(`engine: beams must be at most rows=${R}, got ${W}; raise rows`);
  if (prefixes > Z) throw new OptionError(`engine: prefixes must be at most slots=${Z}, got ${prefixes}; raise slots`);
  if (encoder && prefixes > 0)
    throw new OptionError(
      `engine: prefixes must be 0 with an encoder, got ${prefixes}; targets differ by their sources`,
    );
  const loop = {
    R,
    B: R,
    Z,
    M,
    S: encoder ? (options.sources ?? Math.max(256 * R, longest)) : 1,
    W,
    A: W,
    C: MOST_CANDIDATES,
    X: LISTS,
    prompts: R,
    U: Math.max(2 * M, 4096),
    vectors: 0,
    covered: encoder ? longest : 0,
    joined: true,
    host: false,
  };
  return { loop, prefixes, chunk, waiting };
}

/**
 * Throws for a job that an engine of these sizes can never take: OptionError where its options ask for too much, InputError
 * where its inputs do.
 */
export function checkFits(job: Job, g: Generation, { R, Z, M, S, W, A, C, X, covered }: LoopSizes): void {
  const most = (name: string, given: number, limit: number, cure: string): void => {
    if (given > limit) throw new OptionError(`engine: ${name} must be at most ${limit}, got ${given}; ${cure}`);
  };
  if (g.logits_processor)
    throw new OptionError("engine: logits_processor must be absent, all that runs would wait for it; use generate()");
  if (job.vectors) throw new InputError("engine: inputs_embeds must be absent; give input_ids, or use generate()");
  most("num_beams of a group", g.W, W, "open it with more beams");
  most("num_beams * patience", g.beamStep.A, A, "open it with more beams");
  most("rows of a prompt (beams, samples)", g.n * g.W, R, "open it with more rows");
  most("candidates of a row (beams, end ids, top_logprobs)", Math.max(g.C, g.shown), C, "ask for fewer");
  most("numbers in lists of tokens", listLength({ job, g }), X, "suppress and ban fewer tokens");
  job.prompts.forEach((ids, b) => {
    const needs = { length: ids.length + g.newTokens, slots: slotsOf(job, b, g) };
    if (needs.length > M)
      throw new InputError(
        `engine: row ${b}: a prompt with its new tokens must have at most length=${M}, got ${ids.length} + ${g.newTokens}; shorten it, lower max_new_tokens, or open the engine with more`,
      );
    if (needs.slots > Z)
      throw new InputError(
        `engine: row ${b}: must need at most slots=${Z}, needs ${needs.slots} (a prompt of ${ids.length}, ${g.n * g.W} rows of ${g.newTokens} new tokens); ask for less, or open the engine with more`,
      );
    const source = job.sources ? lengthOf(job.sources[b]) : 0;
    if (source > S || (g.beamStep.coverage_penalty > 0 && source > covered))
      throw new InputError(
        `engine: row ${b}: a source must have at most ${Math.min(S, covered)} rows, has ${source}; shorten it, or open the engine with more sources`,
      );
  });
}
