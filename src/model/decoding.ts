import { InputError } from "../runtime/errors.js";
import { launches, type Plan } from "../runtime/plan.js";
import type { TypedArray } from "../runtime/tensor.js";
import type { Core } from "./core.js";
import type { Generation } from "./options.js";
import { type BeamSession, type Capacity, createBeamSession } from "./session.js";

/** One result of a sentence: its tokens, the start token first, and its score. */
export interface Hypothesis {
  readonly ids: readonly number[];
  readonly score: number;
}

export interface Decoded {
  /** For each sentence its hypotheses, best first. */
  readonly hypotheses: readonly (readonly Hypothesis[])[];
  /** Decoder steps that did work, and the time from the end of the first (which compiles) to the end of the last. */
  readonly steps: number;
  readonly ms: number;
  readonly launches: Launches;
}

/** Launches of one encoder layer, one decoder layer's step, all that a step has outside its layers, and a whole step. */
export interface Launches {
  readonly encoder_layer: number;
  readonly decoder_layer: number;
  readonly outside: number;
  readonly step: number;
}

function countLaunches(encode: Plan, step: Plan): Launches {
  const [all, inLayers] = [launches(step), launches(step, "decoder.layers")];
  return {
    encoder_layer: launches(encode, "encoder.layers.0"), decoder_layer: launches(step, "decoder.layers.0"),
    outside: all - inLayers, step: all,
  };
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/**
 * The whole decoding loop on the device (FasterTransformer's `Decoding`): greedy search, or beam search as Transformers 5 does
 * it. The host submits steps ahead and reads their small reports late; no step waits for it.
 * Throws InputError when the model's logits are not finite, and the signal's reason when it aborts.
 */
export async function decode(core: Core, sources: readonly (readonly number[])[], g: Generation, signal?: AbortSignal): Promise<Decoded> {
  signal?.throwIfAborted();
  const N = sources.reduce((sum, { length }) => sum + length, 0);
  const capacity: Capacity = { B: sources.length, W: g.W, M: roundUp(g.newTokens + 1, 16), S: roundUp(N, 64) };
  const key = JSON.stringify([capacity, { ...g, returned: 0, pad: 0, start: 0 }]);
  const beams = await core.pool.take(key, () => createBeamSession(core, capacity, g));
  try {
    const encodePlan = await beams.session.encode(sources);
    beams.reset();
    const { reports, ms } = await runSteps(core, beams, g, signal);
    return {
      hypotheses: sources.map((_, b) => Array.from({ length: g.returned }, (_, rank) => trace(reports, b, rank, g))),
      steps: reports.length,
      ms,
      launches: countLaunches(encodePlan, beams.step.plan),
    };
  } finally {
    core.pool.give(key, beams);
  }
}

async function runSteps(core: Core, beams: BeamSession, g: Generation, signal?: AbortSignal): Promise<{ reports: TypedArray[][]; ms: number }> {
  const reports: TypedArray[][] = [];
  let first = 0;
  const ahead: Promise<TypedArray[]>[] = [];
  try {
    for (let submitted = 0; ; ) {
      while (ahead.length < core.gpu.readAhead && submitted < g.newTokens) {
        ahead.push(beams.step.run({ read: beams.report }));
        submitted++;
      }
      const report = await ahead.shift();
      if (!report) throw new Error("decoding: the last step must close every sentence");
      signal?.throwIfAborted();
      reports.push(report);
      first ||= performance.now();
      const [, , , [open, faults]] = report;
      if (faults) throw new InputError(`decoding: logits must be finite, step ${reports.length} has others in ${faults} parts; the weights or a kernel overflow`);
      if (open === 0) return { reports, ms: performance.now() - first };
    }
  } finally {
    for (const late of ahead) late.catch(() => {}); // over-run steps did nothing; a lost device is reported by what was awaited
  }
}

/** Walks a finished hypothesis back through the parents that each step reported. */
function trace(reports: readonly TypedArray[][], b: number, rank: number, { W, start }: Generation): Hypothesis {
  const [, scores, sentences] = reports[reports.length - 1];
  const [length, parent, last] = sentences.subarray(b * (4 + 3 * W) + 4 + 3 * rank);
  const ids = [last];
  let w = parent;
  for (let step = length - 3; step >= 0; step--) {
    const row = 4 * (b * W + w);
    ids.push(reports[step][0][row]);
    w = reports[step][0][row + 3];
  }
  return { ids: [start, ...ids.reverse()], score: scores[scores.length / 2 + b * W + rank] };
}
