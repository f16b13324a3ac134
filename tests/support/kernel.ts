import { cpu } from "../../src/runtime/cpu.js";
import { ShapeError } from "../../src/runtime/errors.js";
import type { Gpu } from "../../src/runtime/gpu.js";
import { fromF16, toF16 } from "../../src/runtime/half.js";
import { type Kernel, type Patterns } from "../../src/runtime/kernel.js";
import { GUARD_WORD, GUARD_WORDS } from "../../src/runtime/memory.js";
import { type QuantFormat, quantise } from "../../src/runtime/quant.js";
import { record, type Run } from "../../src/runtime/plan.js";
import { byteLength, type DType, type Tensor, tensor, type TypedArray } from "../../src/runtime/tensor.js";
import { assert, device, randoms, refuses, suite } from "./harness.js";

/** An argument with its values. */
export interface Filled {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

type Size = Readonly<Record<string, number>>;

type Mutants = Readonly<Record<string, (wgsl: string) => string>>;

/** The case table of a kernel: everything that differs from case to case is a size or a flag in `cases`. */
export interface Table<R extends string, W extends string> {
  /** Arguments of a case, also those written when they are updated in place. */
  args(size: Size, random: () => number): Partial<Record<R | W, Filled | undefined>>;
  /** Scalars and constants of a case. */
  values(size: Size): Readonly<Record<string, number>>;
  /** Most of |got - want| / (1 + |want|) for f32; integers must be equal. A case may state its own. */
  readonly tolerance: number;
  readonly cases: Readonly<Record<string, Size>>;
  /** Broken shaders of the direct form, each of which some case must catch. */
  readonly mutants: Mutants;
  /** The same for the other forms. */
  readonly shared?: Mutants;
  readonly subgroup?: Mutants;
  /** Sizes of arguments changed so that recording must throw ShapeError with this message. */
  readonly refused: Readonly<
    Record<string, readonly [size: Size, change: (args: Record<string, Filled | undefined>) => void, message: RegExp]>
  >;
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function f32(shape: readonly number[], value: (index: number) => number): Filled {
  return { dtype: "f32", shape, data: Float32Array.from({ length: count(shape) }, (_, i) => value(i)) };
}

export function f16(shape: readonly number[], value: (index: number) => number): Filled {
  return { dtype: "f16", shape, data: Uint16Array.from({ length: count(shape) }, (_, i) => toF16(value(i))) };
}

/** Weights in groups of 32, quantised. */
export function quantised(dtype: QuantFormat, shape: readonly number[], value: (index: number) => number): Filled {
  return { dtype, shape, data: quantise(dtype, f32(shape, value).data as Float32Array) };
}

export function u32(shape: readonly number[], value: (index: number) => number): Filled {
  return { dtype: "u32", shape, data: Uint32Array.from({ length: count(shape) }, (_, i) => value(i)) };
}

/** Declares the tests of a kernel, for each of its forms: every case against the reference, guard words, refusals, mutants caught. */
export function checkKernel<R extends Patterns, W extends Patterns, P extends string, C extends string>(
  kernel: Kernel<R, W, P, C>,
  table: Table<keyof R & string, keyof W & string>,
): void {
  const plain = kernel as unknown as Kernel;
  const test = suite(kernel.name);
  for (const form of ["direct", "shared", "subgroup"] as const) {
    const chosen = plain.forms[form];
    if (!chosen) continue;
    const alone = { ...plain, forms: { direct: chosen } };
    const fits = (size: Size, SUBGROUP: number): boolean =>
      chosen.fits?.({ ...dimsOf(plain, table, size), SUBGROUP }) !== false;
    const cases = Object.entries(table.cases).filter(([, size]) => fits(size, 8));
    const declare = (name: string, body: () => Promise<void>): void =>
      test(`${form}: ${name}`, async () => {
        const {
          device: own,
          class: { subgroup },
        } = await device();
        if (form === "subgroup" && !own.features.has("subgroups"))
          return "this adapter, or the shader compiler of this runtime, has no subgroups";
        if (!cases.some(([, size]) => fits(size, subgroup)))
          return `${kernel.name} has no ${form} form for subgroups of ${subgroup || "no fixed size"}`;
        return body();
      });
    for (const [name, size] of cases) {
      declare(name, async () => assert.is(await runCase(await device(), alone, table, size), undefined));
    }
    const mutants = form === "direct" ? table.mutants : (table[form] ?? {});
    for (const [name, mutate] of Object.entries(mutants)) {
      declare(`catches ${name}`, async () => {
        const wgsl = mutate(chosen.wgsl);
        assert.is.not(wgsl, chosen.wgsl, "the mutation must change the shader");
        const broken = { ...plain, forms: { direct: { ...chosen, wgsl } } };
        for (const [, size] of cases) if (await runCase(await device(), broken, table, size)) return;
        assert.unreachable("no case caught it");
      });
    }
  }
  for (const [name, [size, change, message]] of Object.entries(table.refused)) {
    test(`refuses ${name}`, () =>
      refuses(
        () => {
          const args = { ...table.args(size, randoms(1)) } as Record<string, Filled | undefined>;
          change(args);
          recordOne(plain, args, table.values(size));
        },
        ShapeError,
        message,
      ));
  }
}

function dimsOf(kernel: Kernel, table: Table<string, string>, size: Size): Size {
  return recordOne(kernel, table.args(size, randoms(7)), table.values(size)).plan.launches[0].dims;
}

function recordOne(kernel: Kernel, args: Record<string, Filled | undefined>, values: Size) {
  const inputs: [Tensor, Filled][] = [];
  const given: Record<string, Tensor | undefined> = {};
  for (const [name, filled] of Object.entries(args)) {
    if (!filled) continue;
    given[name] = tensor(name, filled.dtype, filled.shape);
    inputs.push([given[name], filled]);
  }
  const plan = record(kernel.name, (run: Run) => {
    const shapes = run(kernel, kernel.name, given as never, values);
    for (const [name, t] of Object.entries(shapes)) given[name] ??= t && tensor(name, t.dtype, t.shape);
  });
  // Outputs as states, so that guard words follow them.
  const launch = { ...plan.launches[0], tensors: given };
  return {
    plan: { ...plan, launches: [launch] },
    inputs,
    outputs: Object.keys(kernel.writes)
      .map((name) => given[name])
      .filter((t) => t !== undefined),
  };
}

/** Runs one case on the device and through the reference; tells the first fault, or nothing. */
async function runCase(
  gpu: Gpu,
  kernel: Kernel,
  table: Table<string, string>,
  size: Size,
): Promise<string | undefined> {
  const args = table.args(size, randoms(7)) as Record<string, Filled | undefined>;
  const { plan, inputs, outputs } = recordOne(kernel, args, table.values(size));
  const oracle = cpu();
  for (const [t, { data }] of inputs) {
    oracle.write(t, data);
    if (data.length) gpu.write(t, data); // Deno 2.9 panics on an empty write
  }
  // A kernel that reads status[0] = 0 writes nothing; references do not know it.
  if (!("status" in kernel.reads && args.status?.data[0] === 0)) oracle.run(plan);
  const prepared = await gpu.prepare(plan);
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
    for (const [index, t] of outputs.entries()) {
      const fault = compare(t, results[index], oracle.read(t), size.tolerance ?? table.tolerance);
      if (fault) return fault;
      const guard = results[outputs.length + index];
      if (guard.some((word) => word !== GUARD_WORD)) return `${t.name}: a word after its end was written`;
    }
    return undefined;
  } finally {
    prepared.dispose();
    gpu.memory.free([...inputs.map(([t]) => t), ...outputs]);
  }
}

function compare(t: Tensor, got: TypedArray, want: Float64Array, tolerance: number): string | undefined {
  for (let i = 0; i < want.length; i++) {
    const value = t.dtype === "f16" ? fromF16(got[i]) : got[i];
    const allowed = t.dtype === "u32" ? 0 : tolerance * (1 + Math.abs(want[i]));
    if (!(Math.abs(value - want[i]) <= allowed)) return `${t.name}[${i}] must be ${want[i]}, got ${value}`;
  }
  return undefined;
}
