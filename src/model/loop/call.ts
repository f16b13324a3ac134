import type { Plan } from "../../runtime/plan.js";
import { countLaunches } from "../../runtime/plan.js";
import { OptionError } from "../../runtime/errors.js";
import type { SeenStep } from "../decode/candidates.js";
import type { Job } from "../decode/job.js";
import { createStepReports, type Hypothesis, type Link, REDUNDANT, type StepReports } from "../decode/reports.js";
import type { Generation } from "../decode/resolve.js";
import { createTask, type Span, type Task } from "./task.js";

type MayWait<T> = T | Promise<T>;

/** How a caller follows and stops a decoding. */
export interface DecodeHooks {
  readonly signal?: AbortSignal;
  /**
   * Called after each step, which the host sees in full where candidates are shown; returning false ends the decoding,
   * which waits for a promise.
   */
  readonly onStep?: (reports: StepReports, seen: SeenStep | undefined) => MayWait<boolean | void>;
  /** How many generated tokens each row keeps that `onStep` has ended; rows have a single beam then. */
  readonly kept?: readonly (number | undefined)[];
  /** The larger it is, the earlier a loop admits the call. Default 0. */
  readonly priority?: number;
  /** Called when its first prompt is admitted. */
  readonly onAdmit?: () => void;
}

/** The results of a decoding, and what it took. */
export interface Decoded {
  /** The results of each prompt, best first. */
  readonly hypotheses: readonly (readonly Hypothesis[])[];
  /**
   * Decoder steps that did work, and milliseconds from the end of the first (which compiles) to the end of the last.
   */
  readonly steps: number;
  readonly ms: number;
  readonly launches: Launches;
  /** How often its open sentences were moved together, so that steps have fewer rows. */
  readonly compactions: number;
}

/** Numbers of launches. */
export interface Launches {
  /** Of one encoder layer; 0 without an encoder. */
  readonly encoder_layer: number;
  /** Of one decoder layer in a step. */
  readonly decoder_layer: number;
  /** Of a step outside its layers. */
  readonly outside: number;
  /** Of a whole step. */
  readonly step: number;
}

/** Decodes a job: in a loop of its own, or in one that it shares with others. */
export type Decode = (job: Job, g: Generation, hooks?: DecodeHooks) => Promise<Decoded>;

/** A promise, and what settles it. */
interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

function deferred<T>(): Deferred<T> {
  const settle: Partial<Deferred<T>> = {};
  const promise = new Promise<T>((resolve, reject) => Object.assign(settle, { resolve, reject }));
  promise.catch(() => {}); // it is awaited where the call was made
  return { ...settle, promise } as Deferred<T>;
}

/** A decoding in a loop. */
export interface LoopCall {
  readonly job: Job;
  readonly g: Generation;
  readonly hooks: DecodeHooks;
  readonly reports: StepReports;
  readonly tasks: readonly Task[];
  readonly result: Deferred<Decoded>;
  /** Its lists, while any of its tasks is in the loop. */
  lists: Span | undefined;
  /** Whether its result is known: what its tasks still do counts no more. */
  settled: boolean;
  /** When its first step had ended. */
  begun: number;
  compactions: number;
  /** The plans that ran for it. */
  encode: Plan | undefined;
  step: Plan | undefined;
}

/** A call that waits for its admission. */
export function createLoopCall(job: Job, g: Generation, hooks: DecodeHooks): LoopCall {
  const tasks: Task[] = [];
  const result = deferred<Decoded>();
  const call: LoopCall = {
    job,
    g,
    hooks,
    reports: createStepReports(g, job.prompts.length * g.n, begunLinks(job)),
    tasks,
    result,
    lists: undefined,
    settled: false,
    begun: 0,
    compactions: 0,
    encode: undefined,
    step: undefined,
  };
  job.prompts.forEach((_, b) => tasks.push(createTask(call, b)));
  return call;
}

/** The generated token with which the results of each prompt begin, if there is any. */
const begunLinks = ({ prompts, chosen }: Job): Link[] | undefined =>
  chosen?.map((link, b) => ({ ...link, id: prompts[b][prompts[b].length - 1], parent: 0 }));

/** The results of a call whose sentences have ended. Throws OptionError where no token was allowed. */
export function decodedOf({ job, g, hooks, reports, begun, compactions, encode, step }: LoopCall): Decoded {
  return {
    hypotheses: job.prompts.map((_, b) => resultsOf(reports, b, g, hooks.kept)),
    steps: reports.length,
    ms: performance.now() - begun,
    launches: launchCounts(encode, step as Plan),
    compactions,
  };
}

function launchCounts(encode: Plan | undefined, step: Plan): Launches {
  const all = countLaunches(step);
  return {
    encoder_layer: encode ? countLaunches(encode, "encoder.layers.0") : 0,
    decoder_layer: countLaunches(step, "decoder.layers.0"),
    outside: all - countLaunches(step, "decoder.layers"),
    step: all,
  };
}

/**
 * The results of prompt b: one for each of its samples, or the best hypotheses of all its beam groups together. Results
 * that a search did not find have no tokens and come last, as in Transformers. Throws OptionError when there is none.
 */
function resultsOf(reports: StepReports, b: number, g: Generation, kept: DecodeHooks["kept"]): Hypothesis[] {
  const sentences = Array.from({ length: g.n }, (_, i) => b * g.n + i);
  const counts = sentences.map((sentence) => (kept?.[sentence] === undefined ? finishedOf(reports, sentence) : 1));
  const stuck = g.beams === 1 ? counts.indexOf(0) : counts.every((count) => count === 0) ? 0 : -1;
  const last = stuck >= 0 ? reports.latest(sentences[stuck]) : undefined;
  if (last)
    throw new OptionError(
      `generate: step ${last.length - last.start}: no token is allowed in row ${b}; suppress or ban fewer (suppress_tokens, bad_words_ids, no_repeat_ngram_size, min_new_tokens, logits_processor), or generate fewer`,
    );
  if (g.beams === 1) {
    return sentences.map((sentence) => {
      const count = kept?.[sentence];
      return count === undefined ? reports.hypothesis(sentence, 0) : reports.truncate(sentence, count);
    });
  }
  const all = sentences.flatMap((sentence, i) =>
    Array.from({ length: counts[i] }, (_, rank) => reports.hypothesis(sentence, rank)),
  );
  const ranked = g.beamStep.groups > 1 ? all.sort((x, y) => y.score - x.score) : all;
  const none = { ids: [], score: REDUNDANT, logProbs: [], top: [] };
  return Array.from({ length: g.returned }, (_, rank) => ranked[rank] ?? none);
}

const finishedOf = (reports: StepReports, sentence: number): number => reports.latest(sentence)?.finished.length ?? 0;
