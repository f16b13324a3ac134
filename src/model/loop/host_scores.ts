import { LOWEST } from "../../kernels/constants.js";
import { InputError, OptionError, show } from "../../runtime/errors.js";
import type { Prepared } from "../../runtime/prepare.js";
import { prefix, type Tensor, type TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { tokensOf } from "../decode/job.js";
import type { LoopCall } from "./call.js";
import type { PreparedStep } from "./state.js";

/**
 * A step with a logits_processor, in a loop of its call alone: the scores f32[R,V] go to the host, where it changes them,
 * and back. Resolves with what the host reads after the step. Throws InputError when scores are not finite, and
 * OptionError for what the processor may not leave.
 */
export async function scoresOnHost(
  core: DecoderCore,
  {
    prepared,
    report,
    chooses,
    logits: all,
    before,
  }: PreparedStep & { readonly logits: Tensor; readonly before?: Prepared },
  { job, g, reports, tasks }: LoopCall,
): Promise<TypedArray[]> {
  const { logits_processor, n, W } = g;
  if (!logits_processor)
    throw new Error("decoding: a loop with scores for the host takes calls with a logits_processor");
  const R = Math.max(...tasks.map(({ places }) => (places ? places.rows.at + places.rows.count : 0)));
  const V = all.shape[1];
  const logits = prefix(all, [R, V]);
  const [scores] = (await prepared.run({
    launches: [0, chooses],
    read: [logits],
    before,
  })) as Float32Array<ArrayBuffer>[];
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) throw notFinite(reports.length + 1, Math.floor(bad / V / (n * W)));
  const prompts = tokensOf(job);
  const ids = Array.from({ length: R }, (_, r) => {
    const chosen = reports.length ? reports.backtrace(Math.floor(r / W), r % W) : [];
    return [...prompts[Math.floor(r / (n * W))], ...chosen.map(({ id }) => id)];
  });
  const rows = Array.from({ length: R }, (_, r) => scores.subarray(r * V, (r + 1) * V));
  const changed = (await logits_processor(ids, rows)) ?? rows;
  const place = (r: number): string => `step ${reports.length + 1}: logits_processor: row ${Math.floor(r / (n * W))}`;
  core.gpu.write(all, readScores(changed, [R, V], place));
  return prepared.run({ launches: [chooses, prepared.plan.launches.length], read: report });
}

/** The error of a step in which the logits of a row are not finite. */
export const notFinite = (step: number, row: number): InputError =>
  new InputError(
    `generate: step ${step}: logits must be finite, those of row ${row} are not; the weights or a kernel overflow, and no row of the batch comes back: generate the others without row ${row}`,
  );

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
