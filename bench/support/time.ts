import type { Gpu } from "../../src/runtime/gpu.js";
import { record } from "../../src/runtime/plan.js";
import { byRepetition, byTimestamps } from "../../src/runtime/profile.js";
import { elements, prefix, type Tensor, tensor } from "../../src/runtime/tensor.js";
import type { Launched } from "../../tests/support/launch.js";
import { copy } from "./roof_kernels.js";

/** Microseconds. */
export interface Spread {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
}

export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))];
  return { median: at(0.5), p10: at(0.1), p90: at(0.9) };
}

/** How a launch is repeated. */
export interface Repeats {
  /** Whether it changes its own input, which is restored before each repeat. */
  readonly inPlace?: boolean;
  readonly signal?: AbortSignal;
}

/** Us of one repeat: what takes longer is not measured. */
export const LONGEST = 2e6;
const SAMPLING = 150e3; // us spent on the samples of one shape
const SAMPLES = 7; // at least

/** Microseconds of each repeat; undefined when one takes too long. Throws the signal's reason when aborted. */
export async function time(
  gpu: Gpu,
  { launch, inputs, outputs }: Launched,
  { inPlace = false, signal }: Repeats = {},
): Promise<number[] | undefined> {
  for (const [t, { data }] of inputs) gpu.write(t, data);
  const changed = inPlace ? inputs.filter(([t]) => outputs.includes(t)) : [];
  const saved = changed.map(([t, { data }]) => {
    const original = tensor(`${t.name} as it was`, t.dtype, t.shape);
    gpu.write(original, data);
    return original;
  });
  const flat = (t: Tensor): Tensor => prefix(t, [elements(t)]);
  const { launches: restore } = record("restore", (run) => {
    saved.forEach((original, index) => run(copy, "restore", { x: flat(original), y: flat(changed[index][0]) }, {}));
  });
  let restoring: number | undefined; // ms, where it cannot be timed apart
  /** The times of so many repeats by timestamps, or else one mean. */
  const repeat = async (count: number): Promise<number[]> => {
    signal?.throwIfAborted();
    const launches = Array.from({ length: count }, () => [...restore, launch]).flat();
    const prepared = await gpu.prepare({ name: "repeats", launches });
    try {
      const times = await byTimestamps(gpu, prepared);
      if (times) return times.filter((_, index) => launches[index] === launch).map((ms) => 1e3 * ms);
      const repeated = async (end: number): Promise<number> => {
        const { ms } = await byRepetition(gpu, (pass) => {
          for (let index = 0; index < end; index++) prepared.encode(pass, index);
        });
        return ms;
      };
      restoring ??= restore.length ? Math.min(await repeated(restore.length), await repeated(restore.length)) : 0;
      return [1e3 * Math.max(1e-6, (await repeated(restore.length + 1)) - restoring)];
    } finally {
      prepared.dispose();
    }
  };
  try {
    const [first] = await repeat(1); // also compiles, on adapters that do so at the first launch
    const samples = await repeat(first > LONGEST / 4 ? 1 : 3);
    const estimate = Math.min(...samples);
    if (estimate > LONGEST) return undefined;
    const least = estimate > SAMPLING ? 3 : SAMPLES;
    const count = Math.round(Math.min(200, Math.max(least, SAMPLING / Math.max(estimate, 1))));
    if (samples.length > 1) return (await repeat(count + 2)).slice(2);
    while (samples.length < least) samples.push(...(await repeat(1)));
    return samples;
  } finally {
    gpu.memory.free([...inputs.map(([t]) => t), ...outputs, ...saved]);
  }
}
