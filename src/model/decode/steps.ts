import { readReport, STATUS } from "../../kernels/search_state.js";
import { InputError } from "../../runtime/errors.js";
import type { TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import type { Batch } from "./batch.js";
import { shouldCompact } from "./compaction.js";
import type { StepReports } from "./reports.js";

/** How a caller follows and stops a decoding. */
export interface DecodeHooks {
  readonly signal?: AbortSignal;
  /** Called after each step; returning false ends the decoding. */
  readonly onStep?: (reports: StepReports) => boolean | void;
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
  try {
    for (let submitted = reports.length; ;) {
      while (!compact && ahead.length < depth && submitted < g.newTokens) {
        ahead.push(g.logits_processor ? stepOnHost(core, batch) : search.step.run({ read: search.report }));
        submitted++;
      }
      const values = await ahead.shift();
      if (!values) {
        if (compact) return true; // no step is in flight any more
        throw new Error("decoding: the last step must close every sentence");
      }
      signal?.throwIfAborted();
      const report = readReport(values);
      reports.append(report, places);
      onFirst();
      const [open, faults] = [report.status[STATUS.open], report.status[STATUS.faults]];
      if (faults)
        throw new InputError(
          `decoding: logits must be finite, step ${reports.length} has others in row ${faults - 1}; the weights or a kernel overflow`,
        );
      if (onStep?.(reports) === false || open === 0) return false;
      compact ||= shouldCompact({ open, sentences, left: g.newTokens - reports.length - ahead.length }, g);
    }
  } finally {
    for (const late of ahead) late.catch(() => {}); // steps after the end did nothing; the awaited one reports faults
  }
}

/** A step with a logits_processor: the scores go to the host, where it changes them, and back. */
async function stepOnHost(core: DecoderCore, { job, g, search, reports }: Batch): Promise<TypedArray[]> {
  const { logits_processor, n, W } = g;
  const { step, logits, chooses, report } = search;
  if (!logits || !logits_processor) throw new Error("decoding: a search without scores for the host");
  const [R, V] = logits.shape;
  const [scores] = (await step.run({ launches: [0, chooses], read: [logits] })) as Float32Array<ArrayBuffer>[];
  const ids = Array.from({ length: R }, (_, r) => {
    const chosen = reports.length ? reports.backtrace(Math.floor(r / W), r % W) : [];
    return [...job.prompts[Math.floor(r / (n * W))], ...chosen.map(({ id }) => id)];
  });
  const rows = Array.from({ length: R }, (_, r) => scores.subarray(r * V, (r + 1) * V));
  await logits_processor(ids, rows);
  core.gpu.write(logits, scores);
  return step.run({ launches: [chooses, step.plan.launches.length], read: report });
}
