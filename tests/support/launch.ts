import { f32ToBf16, fromF16, toF16 } from "../../src/runtime/half.js";
import { type Dims, type Kernel, parsePattern } from "../../src/runtime/kernel.js";
import { type Launch, record, type Run } from "../../src/runtime/plan.js";
import { type QuantFormat, quantise } from "../../src/runtime/quant.js";
import { type DType, type Tensor, tensor, type TypedArray } from "../../src/runtime/tensor.js";

/** A tensor with its values. */
export interface Filled {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

/** The arguments of a kernel by name; absent ones are optional or written. */
export type Args = Readonly<Record<string, Filled | undefined>>;

/** A single launch, outside of any model. */
export interface Launched {
  readonly launch: Launch;
  readonly inputs: readonly (readonly [Tensor, Filled])[];
  readonly outputs: readonly Tensor[];
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const DRAWN = 65521;

/** Values by index. Large random arrays repeat, because to draw all weights of a vocabulary takes seconds. */
function fill<T extends TypedArray>(data: T, value: (index: number) => number): T {
  const drawn = value.length === 0 ? Math.min(data.length, DRAWN) : data.length;
  for (let i = 0; i < drawn; i++) data[i] = value(i);
  for (let at = drawn; at < data.length; at += drawn) data.set(data.subarray(0, Math.min(drawn, data.length - at)), at);
  return data;
}

export const f32 = (shape: readonly number[], value: (index: number) => number): Filled => ({
  dtype: "f32",
  shape,
  data: fill(new Float32Array(count(shape)), value),
});

export function f16(shape: readonly number[], value: (index: number) => number): Filled {
  const half = value.length === 0 ? () => toF16((value as () => number)()) : (i: number) => toF16(value(i));
  return { dtype: "f16", shape, data: fill(new Uint16Array(count(shape)), half) };
}

export const bf16 = (shape: readonly number[], value: (index: number) => number): Filled => ({
  dtype: "bf16",
  shape,
  data: f32ToBf16(f32(shape, value).data as Float32Array<ArrayBuffer>),
});

/** Weights in groups of 32, quantised. */
export function quantised(dtype: QuantFormat, shape: readonly number[], value: (index: number) => number): Filled {
  return { dtype, shape, data: quantise(dtype, f32(shape, value).data as Float32Array, shape[shape.length - 1]) };
}

export function u32(shape: readonly number[], value: (index: number) => number): Filled {
  return { dtype: "u32", shape, data: Uint32Array.from({ length: count(shape) }, (_, i) => value(i)) };
}

/** Rows of as many integers each. */
export const u32Rows = (rows: readonly (readonly number[])[]): Filled => ({
  dtype: "u32",
  shape: [rows.length, rows[0].length],
  data: Uint32Array.from(rows.flat()),
});

/** Records a kernel with these arguments. What it writes is a state, not an activation, so that guard words can follow it. */
export function recordLaunch(kernel: Kernel, args: Args, values: Dims): Launched {
  const inputs: [Tensor, Filled][] = [];
  const tensors: Record<string, Tensor | undefined> = {};
  for (const [name, filled] of Object.entries(args)) {
    if (filled) inputs.push([(tensors[name] = tensor(name, filled.dtype, filled.shape)), filled]);
  }
  const {
    launches: [launch],
  } = record(kernel.name, (run: Run) => {
    const written = run(kernel, kernel.name, tensors as never, values);
    for (const [name, t] of Object.entries(written)) tensors[name] ??= t && tensor(name, t.dtype, t.shape);
  });
  const outputs = Object.keys(kernel.writes)
    .map((name) => tensors[name])
    .filter((t) => t !== undefined);
  return { launch: { ...launch, tensors }, inputs, outputs };
}

/** The numbers below `count` in any order. */
export function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(((random() + 1) / 2) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** The argument `status` of kernels while so many sentences are open: numbers of those admitted, and of those that ended. */
export const statusOf = (open: number): Filled => u32([2], (i) => [3 + open, 3][i]);

/** The sizes, scalars and constants of a launch as text. */
export const sizesOf = ({ dims }: Launch): string =>
  Object.entries(dims)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

/** The name of an element of a written tensor in the letters of its pattern, such as `y[n=3,d=17]`. */
function place({ kernel, tensors }: Launch, t: Tensor, index: number): string {
  const name = Object.keys(kernel.writes).find((argument) => tensors[argument] === t) as string;
  const { dims: letters } = parsePattern(kernel.writes[name]);
  let rest = index;
  const at = [...t.shape.entries()].reverse().map(([axis, size]) => {
    const i = rest % size;
    rest = Math.floor(rest / size);
    return /^[A-Z]$/.test(letters[axis]) ? `${letters[axis].toLowerCase()}=${i}` : String(i);
  });
  return `${name}[${at.reverse().join()}]`;
}

const HALF = 2 ** -10; // f16 may lose so much of a number, whichever way a device rounds

/**
 * The first element of an output with |got - want| above tolerance * (1 + |want|), as text, less what f16 loses where that
 * is its format; integers, NaN and infinities must be equal.
 */
export function firstFault(
  launch: Launch,
  t: Tensor,
  got: TypedArray,
  want: Float64Array,
  tolerance: number,
): string | undefined {
  for (let i = 0; i < want.length; i++) {
    const value = t.dtype === "f16" ? fromF16(got[i]) : got[i];
    if (Object.is(value, want[i])) continue; // NaN and infinities too
    const lost = t.dtype === "f16" ? HALF * Math.abs(want[i]) : 0;
    const allowed = t.dtype === "u32" ? 0 : tolerance * (1 + Math.abs(want[i])) + lost;
    if (!(Math.abs(value - want[i]) <= allowed)) return `${place(launch, t, i)} must be ${want[i]}, got ${value}`;
  }
  return undefined;
}
