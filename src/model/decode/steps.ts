import { LOWEST } from "../../kernels/constants.js";
import { readReport, STATUS } from "../../kernels/search_state.js";
import { InputError, OptionError, show } from "../../runtime/errors.js";
import type { TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { type Batch, tokensOf } from "./batch.js";
import { readLists, type SeenStep, topLogprobs } from "./candidates.js";
import { shouldCompact } from "./compaction.js";
import type { StepReports } from "./reports.js";

type MayWait<T> = T | Promise<T>;

/** How a caller follows and stops a decoding. */
export interface DecodeHooks {
  readonly signal?: AbortSignal;
  /**
   * Called after each step, which the host sees in full where candidates are shown; returning false ends the decoding,
   * which waits for a promise.
   */
  readonly onStep?: (reports: StepReports, seen: SeenStep | undefined) => MayWait<boolean | void>;
  /** How many generated tokens each row keeps when `onStep` ends the decoding early; rows have a single beam then. */
  readonly kept?: readonly (number | undefined)[];
}

/**
 * Submits steps ahead of time and appends their reports. Resolves with true when the batch should be compacted, and
 * with false at the end. Throws InputError when logits are not finite, and the signal's reason when it aborts.
 */
export async function runSteps(
  core: DecoderCore,
  batch: Batch,
  { signal, onStep, onFirst }: DecodeHooks & { readonly onFirst: () => void },
): Promise<boolean> {
  const { g, search, places, reports } = batch;
  const ahead: Promise<TypedArray[]>[] = [];
  const depth = g.logits_processor ? 1 : core.gpu.readAhead;
  const sentences = places.filter((place) => place >= 0).length;
  let compact = false;
  let before = search.started;
  for (let submitted = reports.length; ;) {
    while (!compact && ahead.length < depth && submitted < g.newTokens) {
      const step = g.logits_processor ? stepOnHost(core, batch) : search.step.run({ read: search.report });
      step.catch(() => {}); // it is awaited later, or never when a step before it throws
      ahead.push(step);
      submitted++;
    }
    const values = await ahead.shift();
    if (!values) {
      if (compact) return true; // no step is in flight any more
      throw new Error("decoding: the last step must close every sentence");
    }
    signal?.throwIfAborted();
    const report = readReport(values);
    const lists = readLists(values);
    const seen = lists && { ...lists, before, after: report, places };
    reports.append(report, places, seen && g.top_logprobs ? topLogprobs(g, core.architecture.V, seen) : undefined);
    before = report;
    onFirst();
    const [open, faults] = [report.status[STATUS.open], report.status[STATUS.faults]];
    if (faults) throw notFinite(batch, reports.length, faults - 1);
    const going = await onStep?.(reports, seen);
    signal?.throwIfAborted();
    if (going === false || open === 0) return false;
    compact ||= shouldCompact({ open, sentences, left: g.newTokens - reports.length - ahead.length }, g);
  }
}

/** The error of a step in which the logits of row r of the batch are not finite. */
function notFinite({ g, places }: Batch, step: number, r: number): InputError {
  const row = Math.floor(places.indexOf(Math.floor(r / g.W)) / g.n);
  return new InputError(
    `generate: step ${step}: logits must be finite, those of row ${row} are not; the weights or a kernel overflow, and no row of the batch comes back: generate the others without row ${row}`,
  );
}

/** A step with a logits_processor: the scores go to the host, where it changes them, and back. */
async function stepOnHost(core: DecoderCore, batch: Batch): Promise<TypedArray[]> {
  const { job, g, search, reports } = batch;
  const { logits_processor, n, W } = g;
  const { step, logits, chooses, report } = search;
  if (!logits || !logits_processor) throw new Error("decoding: a search without scores for the host");
  const [R, V] = logits.shape;
  const [scores] = (await step.run({ launches: [0, chooses], read: [logits] })) as Float32Array<ArrayBuffer>[];
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) throw notFinite(batch, reports.length + 1, Math.floor(bad / V));
  const prompts = tokensOf(job);
  const ids = Array.from({ length: R }, (_, r) => {
    const chosen = reports.length ? reports.backtrace(Math.floor(r / W), r % W) : [];
    return [...prompts[Math.floor(r / (n * W))], ...chosen.map(({ id }) => id)];
  });
  const rows = Array.from({ length: R }, (_, r) => scores.subarray(r * V, (r + 1) * V));
  const changed = (await logits_processor(ids, rows)) ?? rows;
  const place = (r: number): string => `step ${reports.length + 1}: logits_processor: row ${Math.floor(r / (n * W))}`;
  core.gpu.write(logits, readScores(changed, [R, V], place));
  return step.run({ launches: [chooses, step.plan.launches.length], read: report });
}

/**
 * The scores that a logits_processor leaves: -Infinity bans a token. Throws OptionError for another shape, and for scores
 * that are no numbers.
 */
function readScores(
  changed: readonly ArrayLike<number>[],
  [R, V]: readonly number[],
  place: (r: number) => string,
): Float32Array<ArrayBuffer> {
  if (!Array.isArray(changed) || changed.length !== R)
    throw new OptionError(
      `generate: logits_processor: must return ${R} rows of ${V} scores or nothing, got ${show(changed)}`,
    );
  const scores = new Float32Array(R * V);
  changed.forEach((row: ArrayLike<number>, r) => {
    if (row?.length !== V) throw new OptionError(`generate: ${place(r)} must have ${V} scores, got ${show(row)}`);
    for (let v = 0; v < V; v++) {
      const score = Math.fround(row[v]);
      if (!(score < Infinity))
        throw new OptionError(
          `generate: ${place(r)} must have finite scores or -Infinity, got ${show(row[v])} for ${v}`,
        );
      scores[r * V + v] = Math.max(score, LOWEST);
    }
  });
  return scores;
}
