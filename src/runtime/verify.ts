import { cpu } from "./cpu.js";
import type { Gpu } from "./gpu.js";
import { fromF16 } from "./half.js";
import type { Plan } from "./plan.js";
import type { Tensor } from "./tensor.js";

/** The first launch whose result on the GPU differs from its reference. */
export interface Divergence {
  /** Its number in the plan. */
  readonly launch: number;
  /** The kernel of the launch. */
  readonly kernel: string;
  /** What the launch is in the plan. */
  readonly label: string;
  /** The name of the tensor that it wrote wrongly. */
  readonly tensor: string;
  /** Flat index of the worst element, what the GPU computed there, and what the reference says. */
  readonly index: number;
  /** What the device computed. */
  readonly got: number;
  /** What the reference computed. */
  readonly want: number;
}

/** The worst element of what a launch wrote, which may be right. */
export interface Agreement extends Divergence {
  /** |got - want|, less what f16 loses where that is the format, / max(1, |want|); Infinity where only one of them is NaN. */
  readonly error: number;
}

/**
 * Runs a plan on the GPU one launch at a time, and the reference of each launch on the same inputs. Yields the worst
 * element of each tensor that a launch writes. Weights and states must have been written.
 *
 * @example
 * const model = await load("models/bert-pos");
 * const [sample] = await model.run((core) => samplePlans(core, 64));
 * sample.write();
 * for await (const { label, error } of agreements(model.gpu, sample.plan)) console.log(label, error);
 */
export async function* agreements(gpu: Gpu, plan: Plan): AsyncGenerator<Agreement, void> {
  const prepared = await gpu.prepare(plan);
  const oracle = cpu();
  const known = new Set<Tensor>();
  try {
    for (const [index, launch] of plan.launches.entries()) {
      const inputs = Object.values(launch.tensors).filter(
        (t): t is Tensor => t !== undefined && t.role !== "activation" && !known.has(t),
      );
      const values = await gpu.read(...inputs);
      inputs.forEach((t, at) => {
        oracle.write(t, values[at]);
        if (t.role === "weight") known.add(t);
      });
      const outputs = Object.keys(launch.kernel.writes)
        .map((key) => launch.tensors[key])
        .filter((t): t is Tensor => t !== undefined);
      const before = await prepared.run({ launches: [index, index], read: outputs }); // a part of a weight leaves the rest
      outputs.forEach((t, at) => oracle.write(t, before[at]));
      oracle.launch(launch);
      const computed = await prepared.run({ launches: [index, index + 1], read: outputs });
      for (const [at, t] of outputs.entries()) {
        const worst = worstElement(computed[at], oracle.read(t), t.dtype === "f16");
        yield { launch: index, kernel: launch.kernel.name, label: launch.label, tensor: t.name, ...worst };
        oracle.write(t, computed[at]); // the next launch's reference sees what the GPU saw
      }
    }
  } finally {
    prepared.dispose();
  }
}

/**
 * The first launch of a plan that has |got - want| > tolerance * max(1, |want|) anywhere (`agreements`); undefined when
 * all agree.
 *
 * @example
 * const model = await load("models/bert-pos");
 * const [sample] = await model.run((core) => samplePlans(core, 64));
 * sample.write();
 * console.log((await verify(model.gpu, sample.plan)) ?? "the device and the references agree");
 */
export async function verify(gpu: Gpu, plan: Plan, tolerance = 1e-4): Promise<Divergence | undefined> {
  for await (const { error, ...worst } of agreements(gpu, plan)) if (error > tolerance) return worst;
  return undefined;
}

const HALF = 2 ** -10; // f16 may lose so much of a number, whichever way a device rounds

function worstElement(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  half: boolean,
): { error: number; index: number; got: number; want: number } {
  let worst = { error: -1, index: 0, got: 0, want: 0 };
  for (let index = 0; index < got.length; index++) {
    const value = half ? fromF16(got[index]) : got[index];
    const lost = half ? HALF * Math.abs(want[index]) : 0;
    const same = Object.is(value, want[index]); // NaN and infinities too, such as rows of a table's later parts
    const distance = same ? 0 : Math.max(0, Math.abs(value - want[index]) - lost) / Math.max(1, Math.abs(want[index]));
    const error = Number.isNaN(distance) ? Infinity : distance;
    if (error > worst.error) worst = { error, index, got: value, want: want[index] };
  }
  return worst;
}
