import { cpu } from "../../src/runtime/cpu.js";
import type { DeviceClass } from "../../src/runtime/device_class.js";
import { ShapeError } from "../../src/runtime/errors.js";
import type { Gpu } from "../../src/runtime/gpu.js";
import type { Dims, Kernel, Patterns, Variant } from "../../src/runtime/kernel.js";
import { GUARD_WORD, GUARD_WORDS } from "../../src/runtime/memory.js";
import { byteLength, tensor } from "../../src/runtime/tensor.js";
import { classOf } from "./device_class.js";
import { device, randoms, refuses, suite, type Test } from "./harness.js";
import { type Filled, firstFault, recordLaunch, sizesOf } from "./launch.js";

export { bf16, f16, f32, type Filled, quantised, u32 } from "./launch.js";

type Size = Readonly<Record<string, number>>;

/** Broken shaders, each with the case that must catch it. */
export type Mutants = Readonly<Record<string, readonly [named: string, mutate: (wgsl: string) => string]>>;

/** The cases of a kernel, which differ in sizes and flags only. */
export interface Table<R extends string, W extends string> {
  /** The arguments of a case, including written ones that are updated in place. */
  args(size: Size, random: () => number): Partial<Record<R | W, Filled | undefined>>;
  /** The scalars and constants of a case. */
  values(size: Size): Readonly<Record<string, number>>;
  /** Most of |got - want| / (1 + |want|) for f32; integers must be equal. A case may state its own. */
  readonly tolerance: number;
  /** Cases with `node` 1 run in Node alone: others like them run everywhere. */
  readonly cases: Readonly<Record<string, Size>>;
  /** The variants that the cases are for. Default: all. */
  readonly variants?: readonly string[];
  /** Broken shaders, by variant. They test the cases, not the runtime, and so run in Node only. */
  readonly mutants: Readonly<Record<string, Mutants>>;
  /** Sizes, a change of the arguments, and the message of the ShapeError that recording must throw. */
  readonly refused: Readonly<
    Record<string, readonly [size: Size, change: (args: Record<string, Filled | undefined>) => void, message: RegExp]>
  >;
}

const judges = (what: string): Readonly<Record<"deno" | "chrome", string>> => {
  const reason = `${what}, not a runtime: they run in Node`;
  return { deno: reason, chrome: reason };
};
/** Cases of a variant are those that it can run on such a device; it may be one that the test has not. */
const SUBGROUPS = classOf("gpu", 8, { matrices: [{ element: "f16", rows: 8, outputs: 8, inputs: 8 }] });

const MUTANT = judges("mutants judge the cases of a kernel");
const CASE = judges("some cases judge a kernel");
/** Chrome compiles with Node's compiler, slowly: every twelfth case shows it its own driver. Deno runs each third. */
const sampleOf = (index: number): Readonly<Partial<Record<"deno" | "chrome", string>>> => ({
  ...(index % 12 && { chrome: "Node has Chrome's shader compiler and runs every case; Chrome runs each twelfth" }),
  ...(index % 3 && { deno: "Node runs every case; Deno runs each third" }),
});

/** Declares the tests of a kernel: for each variant all cases, with guard words, and all mutants; and what it must refuse. */
export function checkKernel<R extends Patterns, W extends Patterns, P extends string, C extends string>(
  typed: Kernel<R, W, P, C>,
  table: Table<keyof R & string, keyof W & string>,
): void {
  const kernel = typed as unknown as Kernel;
  const test = suite(kernel.name);
  const unknown = Object.keys(table.mutants).find((name) => !kernel.variants.some((one) => one.name === name));
  if (unknown) throw new Error(`${kernel.name}: mutants must be of variants that it has, got ${unknown}`);
  for (const variant of kernel.variants) {
    if (table.variants && !table.variants.includes(variant.name)) continue;
    const subject = subjectOf(kernel, table, variant);
    checkCases(test, subject);
    checkMutants(test, subject, table.mutants[variant.name] ?? {});
  }
  for (const [name, [size, change, message]] of Object.entries(table.refused)) {
    const record = (): unknown => {
      const args = { ...table.args(size, randoms(1)) } as Record<string, Filled | undefined>;
      change(args);
      return recordLaunch(kernel, args, table.values(size));
    };
    test(`refuses ${name}`, () => refuses(record, ShapeError, message));
  }
}

/** Declares a test for each choice of constants that `tune` may make for a variant at these sizes. */
export function checkTunings<R extends Patterns, W extends Patterns, P extends string, C extends string>(
  kernel: Kernel<R, W, P, C>,
  table: Table<keyof R & string, keyof W & string>,
  name: string,
  size: Size,
): void {
  const variant = kernel.variants.find((one) => one.name === name);
  const { dims } = recordLaunch(kernel, table.args(size, randoms(7)), table.values(size)).launch;
  for (const constants of variant?.tunings?.(dims, SUBGROUPS) ?? []) {
    const chosen = { ...variant, constants: (...of) => ({ ...variant?.constants?.(...of), ...constants }) } as Variant;
    const cases = { [JSON.stringify(constants)]: size };
    checkKernel<R, W, P, C>(
      { ...kernel, variants: [chosen] },
      { ...table, variants: [name], cases, mutants: {}, refused: {} },
    );
  }
}

/** One variant of a kernel, with the cases that it can run. */
interface Subject {
  readonly kernel: string;
  readonly variant: string;
  readonly cases: ReadonlyMap<string, Size>;
  /** Why the variant cannot run on this device; undefined if it can. */
  obstacle(gpu: Gpu): string | undefined;
  /** The first fault of a case, with the shader as it is or changed; undefined when there is none. */
  run(size: Size, mutate?: (wgsl: string) => string): Promise<string | undefined>;
}

function subjectOf(kernel: Kernel, table: Table<string, string>, variant: Variant): Subject {
  const fits = (size: Size, device: DeviceClass): boolean => {
    if (!variant.fits) return true;
    const { launch } = recordLaunch(kernel, table.args(size, randoms(7)), table.values(size));
    return variant.fits(launch.dims, device);
  };
  const cases = new Map(Object.entries(table.cases).filter(([, size]) => fits(size, SUBGROUPS)));
  return {
    kernel: kernel.name,
    variant: variant.name,
    cases,
    obstacle({ device: { features }, class: own }) {
      const missing = (variant.needs ?? []).filter((feature) => !features.has(feature));
      if (missing.length) return `this adapter, or the shader compiler of this runtime, has no ${missing.join(", ")}`;
      if (![...cases.values()].some((size) => fits(size, own)))
        return `${kernel.name} has no variant ${variant.name} for subgroups of ${own.subgroup || "no fixed size"}`;
      return undefined;
    },
    run: async (size, mutate = (wgsl) => wgsl) => {
      const { wgsl, parts } = variant;
      const changed = { ...variant, wgsl: mutate(wgsl), parts: parts && ((d: Dims) => mutate(parts(d))) };
      return runCase(await device(), { ...kernel, variants: [changed] }, table, size);
    },
  };
}

function checkCases(test: Test, { kernel, variant, cases, obstacle, run }: Subject): void {
  for (const [index, [name, size]] of [...cases].entries()) {
    const agrees = async (): Promise<string | undefined> => {
      const reason = obstacle(await device());
      if (reason) return reason;
      const fault = await run(size);
      if (!fault) return undefined;
      throw new Error(`${kernel}, variant ${variant}, case "${name}", ${fault}`);
    };
    test(`${variant}: ${name}`, agrees, size.node ? CASE : sampleOf(index));
  }
}

function checkMutants(test: Test, { variant, cases, obstacle, run }: Subject, mutants: Mutants): void {
  for (const [name, [named, mutate]] of Object.entries(mutants)) {
    const catches = async (): Promise<string | undefined> => {
      const reason = obstacle(await device());
      if (reason) return reason;
      let changes = false;
      const noticed = (wgsl: string): string => {
        const broken = mutate(wgsl);
        changes ||= broken !== wgsl;
        return broken;
      };
      const size = cases.get(named);
      if (!size) throw new Error(`the variant ${variant} has no case "${named}"`);
      const fault = await run(size, noticed);
      if (!changes) throw new Error("the shader does not have the text that this mutant changes");
      if (!fault) throw new Error(`case "${named}" does not catch it`);
      return undefined;
    };
    test(`${variant}: catches ${name}`, catches, MUTANT);
  }
}

/** Runs one case on the device and through the reference, and returns the first fault, if any. */
export async function runCase(
  gpu: Gpu,
  kernel: Kernel,
  table: Pick<Table<string, string>, "args" | "values" | "tolerance">,
  size: Size,
  random = randoms(7),
): Promise<string | undefined> {
  const args = table.args(size, random);
  const { launch, inputs, outputs } = recordLaunch(kernel, args, table.values(size));
  const oracle = cpu();
  for (const [t, { data }] of inputs) {
    oracle.write(t, data);
    if (data.length) gpu.write(t, data); // Deno 2.9 panics on an empty write
  }
  // Kernels write nothing once all sentences have ended; references do not read it.
  const status = "status" in kernel.reads ? args.status?.data : undefined;
  if (!status || status[0] !== status[1]) oracle.launch(launch);
  const prepared = await gpu.prepare({ name: kernel.name, launches: [launch] });
  try {
    const guards = outputs.map((t) => ({
      tensor: tensor(`guard of ${t.name}`, "u32", [GUARD_WORDS]),
      buffer: gpu.memory.buffer(t),
      offset: byteLength(t),
    }));
    const results = await gpu.submit(
      (encoder) => {
        const pass = encoder.beginComputePass();
        prepared.encode(pass, 0);
        pass.end();
      },
      [...outputs.map((t) => prepared.locate(t)), ...guards],
    );
    const tolerance = size.tolerance ?? table.tolerance;
    for (const [index, t] of outputs.entries()) {
      const guarded = results[outputs.length + index].every((word) => word === GUARD_WORD);
      const fault =
        firstFault(launch, t, results[index], oracle.read(t), tolerance) ??
        (guarded ? undefined : `${t.name}: a word after its end was written`);
      if (fault) return `sizes ${sizesOf(launch)}, tolerance ${tolerance}: ${fault}`;
    }
    return undefined;
  } finally {
    prepared.dispose();
    gpu.memory.free([...inputs.map(([t]) => t), ...outputs]);
  }
}
