import { ShapeError } from "./errors.js";
import {
  type Arguments,
  type Dims,
  type Written,
  type Kernel,
  type Patterns,
  outputShape,
  parsePattern,
  solve,
} from "./kernel.js";
import { type Tensor, tensor } from "./tensor.js";

/** One launch of a kernel. */
export interface Launch {
  /** What is launched. */
  readonly kernel: Kernel;
  /** Its place in the model, such as `decoder.layers.0.self_attn`. */
  readonly label: string;
  /** Arguments by name, read and written; optional ones may be absent. */
  readonly tensors: Readonly<Record<string, Tensor | undefined>>;
  /** Sizes, scalars and constants by name. */
  readonly dims: Dims;
}

/** A recorded model: launches in order, with all shapes known. It belongs to no device. */
export interface Plan {
  /** What messages call it. */
  readonly name: string;
  /** In the order in which they run. */
  readonly launches: readonly Launch[];
}

/**
 * Appends a launch to the plan and returns the tensors that it writes: those given in `args`, or else new activations
 * (nothing for an optional argument). `values` are the kernel's parameters and, where wanted, constants. Throws
 * ShapeError when the arguments do not fit the kernel's patterns.
 */
export type Run = <R extends Patterns, W extends Patterns, P extends string, C extends string>(
  kernel: Kernel<R, W, P, C>,
  label: string,
  args: Arguments<R> & Partial<Record<keyof W, Tensor>>,
  values: Readonly<Record<P, number> & Partial<Record<C, number>>>,
) => Written<W>;

/**
 * Records the launches of `build`. Each of the `shared` tensors is given to every launch whose kernel reads that
 * argument.
 *
 * @example
 * const x = tensor("x", "f32", [20, 8]);
 * const gamma = tensor("gamma", "f32", [8], "weight");
 * const plan = record("norm", (run) => void run(layernormResidual, "norm", { x, gamma }, { eps: 1e-5 }));
 * console.log(printPlan(plan));
 */
export function record(name: string, build: (run: Run) => void, shared: Readonly<Record<string, Tensor>> = {}): Plan {
  const launches: Launch[] = [];
  const run = (kernel: Kernel, label: string, args: Readonly<Record<string, Tensor | undefined>>, values: Dims) => {
    const allowed = new Set<string>([...kernel.params, ...kernel.constants]);
    const stray = Object.keys(values).find((key) => !allowed.has(key));
    if (stray) throw new ShapeError(`${kernel.name}: has no parameter ${stray}`);
    const given = { ...args };
    for (const [key, value] of Object.entries(shared)) if (key in kernel.reads) given[key] = value;
    const dims = solve(kernel, given, values);
    const written: Record<string, Tensor | undefined> = {};
    for (const key of Object.keys(kernel.writes)) {
      const {
        dtypes: [dtype],
        optional,
      } = parsePattern(kernel.writes[key]);
      const make = (): Tensor => tensor(`${label}.${key}`, dtype, outputShape(kernel, key, dims), "activation");
      written[key] = given[key] ?? (optional ? undefined : make());
    }
    launches.push({ kernel, label, tensors: { ...given, ...written }, dims });
    return written;
  };
  build(run as Run);
  return { name, launches };
}

/**
 * Number of launches at `prefix` or below it, such as `decoder.layers.0`; of all launches without a prefix.
 *
 * @example
 * const x = tensor("x", "f32", [20, 8]);
 * const gamma = tensor("gamma", "f32", [8], "weight");
 * const plan = record("norm", (run) => void run(layernormResidual, "norm", { x, gamma }, { eps: 1e-5 }));
 * console.log(countLaunches(plan), countLaunches(plan, "norm")); // 1 1
 */
export function countLaunches(plan: Plan, prefix = ""): number {
  return plan.launches.filter((launch) => launch.label === prefix || launch.label.startsWith(prefix && `${prefix}.`))
    .length;
}

/**
 * The plan as a table for people: number, kernel, label, outputs and their shapes.
 *
 * @example
 * const x = tensor("x", "f32", [20, 8]);
 * const gamma = tensor("gamma", "f32", [8], "weight");
 * const plan = record("norm", (run) => void run(layernormResidual, "norm", { x, gamma }, { eps: 1e-5 }));
 * console.log(printPlan(plan)); // norm: 1 launches, then one line each
 */
export function printPlan(plan: Plan): string {
  const rows = plan.launches.map(({ kernel, label, tensors }, index) => {
    const written = Object.keys(kernel.writes).map((key) => `${key} [${tensors[key]?.shape.join(",")}]`);
    return `${String(index).padStart(4)}  ${kernel.name.padEnd(20)} ${label.padEnd(40)} ${written.join(" ")}`;
  });
  return [`${plan.name}: ${plan.launches.length} launches`, ...rows].join("\n");
}
