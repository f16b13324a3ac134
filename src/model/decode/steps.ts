import { readReport, STATUS } from "../../kernels/search_state.js";
import { InputError } from "../../runtime/errors.js";
import type { TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import type { Batch } from "./batch.js";
import { shouldCompact } from "./compaction.js";
import type { StepReports } from "./reports.js";

/** What a caller has to say while a decoding runs. */
export interface DecodeHooks {
  readonly signal?: AbortSignal;
  /** Called after each step; a result of false ends decoding: every sentence is finished for the caller. */
  readonly onStep?: (reports: StepReports) => boolean | void;
  /** Generated tokens that rows of a single beam keep when `onStep` ends decoding early. */
  readonly kept?: readonly (number | undefined)[];
}

/** Submits steps ahead and appends their reports. Resolves with true when the batch should be compacted, false at the end. */
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
        if (compact) return true; // all steps in flight have come home
        throw new Error("decoding: the last step must close every sentence");
      }
      signal?.throwIfAborted();
      const report = readReport(values);
      reports.append(report, places);
      onFirst();
      const [open, faults] = [report.status[STATUS.open], report.status[STATUS.faults]];
      if (faults)
        throw new InputError(
          `decoding: logits must be finite, step ${reports.length} has others in ${faults} parts; the weights or a kernel overflow`,
        );
      if (onStep?.(reports) === false || open === 0) return false;
      compact ||= shouldCompact({ open, sentences, left: g.newTokens - reports.length - ahead.length }, g);
    }
  } finally {
    for (const late of ahead) late.catch(() => {}); // over-run steps did nothing; a lost device is reported by what was awaited
  }
}

/** A step whose scores the caller's logits_processor changes: they come to the host and go back. */
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
