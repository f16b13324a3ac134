import type { Model, SourceInputs } from "../../src/index.js";

/** How a loop on the host decodes. */
interface HostLoop {
  readonly B: number;
  readonly W: number;
  readonly steps: number;
  readonly start: number;
  /** Beams do not choose it; a single row may. */
  readonly end?: number;
}

/** What a loop on the host found: tokens of the best beam of each source, after the start token, and times. */
export interface HostLoopResult {
  readonly sequences: readonly (readonly number[])[];
  /** Milliseconds of each step. */
  readonly times: readonly number[];
}

/**
 * Beam search in JavaScript over `step`, which gives the logits f32[B*W,V] of a step: what callers of FasterTransformer's
 * `Decoder` do in their framework.
 */
export async function hostBeams(
  { B, W, steps, start, end }: HostLoop,
  step: (
    ids: readonly number[],
    parents: readonly number[],
  ) => Promise<ArrayLike<number> & { subarray: Float32Array["subarray"] }>,
): Promise<HostLoopResult> {
  const rows = Array.from({ length: B * W }, (_, r) => r);
  let ids = rows.map(() => start);
  let parents = rows.map((r) => r % W);
  let scores = rows.map((r): number => (r % W === 0 ? 0 : -1e9)); // all beams are equal at first
  let paths: number[][] = rows.map(() => []);
  const times: number[] = [];
  for (let t = 0; t < steps; t++) {
    const begin = performance.now();
    const logits = await step(ids, parents);
    const V = logits.length / rows.length;
    const chosen = Array.from({ length: B }, (_, b) =>
      Array.from({ length: W }, (_, w) =>
        bestOf(logits.subarray((b * W + w) * V, (b * W + w + 1) * V), 2 * W).map(({ id, logProb }) => ({
          id,
          w,
          score: scores[b * W + w] + logProb,
        })),
      )
        .flat()
        .filter(({ id }) => W === 1 || id !== end)
        .sort((x, y) => y.score - x.score)
        .slice(0, W),
    );
    paths = chosen.flatMap((beams, b) => beams.map(({ id, w }) => [...paths[b * W + w], id]));
    const flat = chosen.flat();
    [ids, parents, scores] = [flat.map(({ id }) => id), flat.map(({ w }) => w), flat.map(({ score }) => score)];
    times.push(performance.now() - begin);
  }
  return { sequences: Array.from({ length: B }, (_, b) => paths[b * W]), times };
}

/** The `count` most probable tokens of a row, best first. */
function bestOf(logits: Float32Array, count: number): { readonly id: number; readonly logProb: number }[] {
  const best: { id: number; logit: number }[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (best.length === count && !(logit > best[count - 1].logit)) continue;
    const place = best.findIndex((one) => logit > one.logit);
    best.splice(place < 0 ? best.length : place, 0, { id, logit });
    if (best.length > count) best.pop();
  }
  const top = best[0].logit;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id] - top);
  return best.map(({ id, logit }) => ({ id, logProb: logit - top - Math.log(sum) }));
}

/** The same with the steps of `model.decoder()`. */
export async function hostLoop(model: Model, inputs: SourceInputs, loop: HostLoop): Promise<HostLoopResult> {
  const decoder = await model.decoder(inputs, { max_length: loop.steps, num_beams: loop.W });
  try {
    return await hostBeams(loop, async (ids, parents) => (await decoder.step(ids, parents)).data);
  } finally {
    decoder.dispose();
  }
}
