import type { Gpu } from "../../src/runtime/gpu.js";
import type { Plan } from "../../src/runtime/plan.js";
import { byRepetition, profile } from "../../src/runtime/profile.js";
import type { Roofs } from "../support/roofs.js";
import { measuredFigures } from "./devices.js";
import { byKind, expectPlan, type Group, workingSet } from "./expected.js";

/** Launches of one kind: expected, and measured. */
export interface Compared extends Group {
  /** Microseconds of all of them, each timed by itself. */
  readonly measured_us: number;
}

/** A plan: expected, and measured. */
export interface Comparison {
  readonly kinds: readonly Compared[];
  /** Microseconds that the launches are expected to take, one after the other. */
  readonly us: number;
  /** The same, measured one by one. */
  readonly measured_us: number;
  /** Microseconds of the whole plan in one pass, as a model runs it. */
  readonly pass_us: number;
}

const ROUNDS = 5; // of timing, the best of which count; the first one may compile

/**
 * Compares what the launches of a plan are expected to take on this device, by its roofs, with what they take. Its inputs
 * must have been written. Throws the signal's reason when aborted.
 */
export async function comparePlan(gpu: Gpu, plan: Plan, roofs: Roofs, signal?: AbortSignal): Promise<Comparison> {
  const figures = measuredFigures(gpu.info.description, gpu.class, roofs, workingSet(plan));
  const expected = expectPlan(plan, figures, ({ kernel, dims }) => gpu.choose(kernel, dims));
  const prepared = await gpu.prepare(plan);
  try {
    let best = expected.map(() => Infinity);
    let pass = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
      signal?.throwIfAborted();
      const timings = await profile(gpu, prepared);
      const { ms } = await byRepetition(gpu, (to) => plan.launches.forEach((_, index) => prepared.encode(to, index)));
      if (round === 0) continue;
      best = best.map((us, index) => Math.min(us, 1e3 * timings[index].ms));
      pass = Math.min(pass, 1e3 * ms);
    }
    const measured = byKind(expected.map((one, index) => ({ ...one, us: best[index] })));
    const kinds = byKind(expected).map((kind) => {
      const same = measured.find(({ key }) => key === kind.key);
      return { ...kind, measured_us: same?.us ?? 0 };
    });
    const sum = (values: readonly number[]): number => values.reduce((total, us) => total + us, 0);
    return { kinds, us: sum(expected.map(({ us }) => us)), measured_us: sum(best), pass_us: pass };
  } finally {
    prepared.dispose();
  }
}
