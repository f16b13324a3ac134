import type { DeviceClass } from "./device_class.js";
import { ShapeError } from "./errors.js";
import { describe, type DType, type Tensor } from "./tensor.js";

/**
 * All that a launch depends on: sizes by their letter (`N`), scalars by name (`eps`), constants by NAME (`CENTRED`).
 */
export type Dims = Readonly<Record<string, number>>;

/** Shape patterns by argument, such as `f32[N,D]`, `f32|f16[O,I]`, `f32[R,H*E+2*K*E]`, `f32[O]?` (optional). */
export type Patterns = Readonly<Record<string, string>>;

/** An array that a reference reads or writes: in f64, whatever the storage format. */
export interface Values {
  [index: number]: number;
  readonly length: number;
}

type OptionalKeys<P extends Patterns> = { [A in keyof P]: P[A] extends `${string}?` ? A : never }[keyof P];
/** The tensors that a kernel reads, by argument; those whose pattern ends in `?` may be absent. */
export type Arguments<P extends Patterns> = { [A in Exclude<keyof P, OptionalKeys<P>>]: Tensor } & {
  [A in OptionalKeys<P>]?: Tensor | undefined;
};
/** The tensors that a kernel writes, by argument; undefined where an optional one was not given. */
export type Written<P extends Patterns> = { [A in keyof P]: P[A] extends `${string}?` ? Tensor | undefined : Tensor };
type Arrays<P extends Patterns> = { [A in Exclude<keyof P, OptionalKeys<P>>]: Values } & {
  [A in OptionalKeys<P>]?: Values;
};

/** One way to run a kernel: a shader, where it can run, and how it is launched. */
export interface Variant {
  /** Unique within the kernel, such as `shared` or `rows.subgroup`. */
  readonly name: string;
  /** The shader's own text, followed by the parts that its header names (`joinShader`). */
  readonly wgsl: string;
  /** More parts, which depend on the sizes, such as those for rows that are no whole fours. */
  parts?(d: Dims): string;
  /** WebGPU features that the device must have. */
  readonly needs?: readonly string[];
  /** The class of adapters that prefers it; any class when absent. */
  readonly for?: "cpu" | "gpu";
  /** Whether it can take these sizes on such a device; always when absent. */
  fits?(d: Dims, device: DeviceClass): boolean;
  /** Whether to choose it at these sizes when nothing has been measured; always when absent. */
  suits?(d: Dims, device: DeviceClass): boolean;
  /** Number of workgroups; the runtime folds it into x and y. */
  groups(d: Dims): number;
  /** Values of the constants that depend on the sizes. */
  constants?(d: Dims, device: DeviceClass): Dims;
  /** All values of those constants that `tune` may measure; only those of `constants` when absent. */
  tunings?(d: Dims, device: DeviceClass): readonly Dims[];
}

/** A kernel: the shapes that it reads and writes, its variants, its cost, and its reference. */
export interface Kernel<
  R extends Patterns = Patterns,
  W extends Patterns = Patterns,
  P extends string = string,
  C extends string = string,
> {
  /** Unique among kernels; the name of its shader. */
  readonly name: string;
  /** Shape patterns of the arguments that it reads, in the order of their bindings. */
  readonly reads: R;
  /** The same of those that it writes; an argument that the caller supplies is updated in place. */
  readonly writes: W;
  /** Fields of `struct Params` that do not follow from shapes. */
  readonly params: readonly P[];
  /** Constants of the shader that the caller may choose. */
  readonly constants: readonly C[];
  /**
   * The letter of the rows that a launch computes one by one, each from its own row of the arguments that begin with
   * this letter: so much work that a device would be busy for long is dispatched in several ranges of rows.
   */
  readonly rowAxis?: string;
  /** In order of preference; the last one takes any sizes on any device. */
  readonly variants: readonly Variant[];
  /** What is wrong with sizes that fit the patterns, as the end of an error message; undefined when nothing is. */
  check?(d: Dims): string | undefined;
  /** The least number of bytes that a launch must read and write. */
  bytes(d: Dims): number;
  /** The least number of floating-point operations of a launch. */
  flops(d: Dims): number;
  /** Computes what it writes, plainly and slowly, in f64: what tests and `verify` compare with. */
  reference(d: Dims, t: Arrays<R & W>): void;
}

/**
 * Declares a kernel: returns the object as it is, with the types of its arguments inferred.
 *
 * @example
 * const wgsl = await (await fetch("double.wgsl")).text(); // y[n] = 2 * x[n], in the style of shaders/ of the package
 * const double = defineKernel({
 *   name: "double",
 *   reads: { x: "f32[N]" },
 *   writes: { y: "f32[N]" },
 *   params: [],
 *   constants: [],
 *   variants: [{ name: "direct", wgsl, groups: ({ N }) => Math.ceil(N / 64) }],
 *   bytes: ({ N }) => 8 * N,
 *   flops: ({ N }) => N,
 *   reference({ N }, { x, y }) {
 *     for (let n = 0; n < N; n++) y[n] = 2 * x[n];
 *   },
 * });
 * const plan = record("double", (run) => void run(double, "double", { x: tensor("x", "f32", [100]) }, {}));
 * console.log(await verify(await gpu(), plan)); // undefined: both agree
 */
/* @__NO_SIDE_EFFECTS__ */
export function defineKernel<
  const R extends Patterns,
  const W extends Patterns,
  const P extends string = never,
  const C extends string = never,
>(kernel: Kernel<R, W, P, C>): Kernel<R, W, P, C> {
  return kernel;
}

/**
 * A shape pattern, parsed: formats in order, sizes (letters, numbers or sums of products of them), and whether it ends
 * in `?`.
 */
export interface Pattern {
  readonly dtypes: readonly DType[];
  readonly dims: readonly string[];
  readonly optional: boolean;
}

/** Parses a pattern such as `f32|f16[O,I]?`. Throws Error on any other text. */
export function parsePattern(text: string): Pattern {
  const [, dtypes, dims, optional] = text.match(/^([a-z0-9|]+)\[([^\]]*)\](\??)$/) ?? [];
  if (dtypes === undefined) throw new Error(`pattern must look like f32[N,D], got ${text}`);
  return { dtypes: dtypes.split("|") as DType[], dims: dims.split(","), optional: optional === "?" };
}

/** The value of a sum of products such as `H*E+2*K*E`; undefined while one of its letters is unknown. */
export function evaluate(expression: string, dims: Dims): number | undefined {
  let sum = 0;
  for (const term of expression.split("+")) {
    const factors = term.split("*").map((factor) => (/^\d+$/.test(factor) ? Number(factor) : dims[factor]));
    if (factors.includes(undefined as never)) return undefined;
    sum += factors.reduce((product, factor) => product * factor, 1);
  }
  return sum;
}

const isLetter = (dim: string): boolean => /^[A-Z]$/.test(dim);

function mismatch(kernel: Kernel, argument: string, text: string, dims: Dims, given: Tensor): ShapeError {
  const letters = [...new Set(text.match(/\b[A-Z]\b/g) ?? [])].filter((letter) => letter in dims);
  const known = letters.map((letter) => `${letter}=${dims[letter]}`).join(", ");
  return new ShapeError(
    `${kernel.name}: ${argument} must be ${text}${known && ` with ${known}`}, got ${describe(given)}`,
  );
}

/**
 * Binds the letters of a kernel's patterns to the sizes of its arguments, and adds the constants that follow from them:
 * HAS_X says whether the optional argument x is given, X_FORMAT which of its formats x has (the index in the pattern).
 * Throws ShapeError naming the kernel, the argument, its pattern, the sizes known so far, and what was given.
 */
export function solve(kernel: Kernel, given: Readonly<Record<string, Tensor | undefined>>, values: Dims): Dims {
  const patterns = { ...kernel.reads, ...kernel.writes };
  const dims: Record<string, number> = { ...values };
  const later: (() => void)[] = [];
  for (const unknown of Object.keys(given)) {
    if (!(unknown in patterns)) throw new ShapeError(`${kernel.name}: has no argument ${unknown}`);
  }
  for (const [argument, text] of Object.entries(patterns)) {
    const pattern = parsePattern(text);
    const value = given[argument];
    if (pattern.optional) dims[`HAS_${argument.toUpperCase()}`] = value ? 1 : 0;
    if (!value) {
      if (!pattern.optional && argument in kernel.reads)
        throw new ShapeError(`${kernel.name}: ${argument} must be ${text}, got nothing`);
      continue;
    }
    const format = pattern.dtypes.indexOf(value.dtype);
    if (format < 0 || value.shape.length !== pattern.dims.length) throw mismatch(kernel, argument, text, dims, value);
    if (pattern.dtypes.length > 1) dims[`${argument.toUpperCase()}_FORMAT`] = format;
    pattern.dims.forEach((dim, axis) => {
      if (isLetter(dim) && dims[dim] === undefined) dims[dim] = value.shape[axis];
      later.push(() => {
        if (evaluate(dim, dims) !== value.shape[axis]) throw mismatch(kernel, argument, text, dims, value);
      });
    });
  }
  for (const verify of later) verify();
  const fault = kernel.check?.(dims);
  if (fault) throw new ShapeError(`${kernel.name}: ${fault}`);
  return dims;
}

/** The shape of a written argument. Throws ShapeError when the other arguments do not determine it. */
export function outputShape(kernel: Kernel, argument: string, dims: Dims): number[] {
  return parsePattern(kernel.writes[argument]).dims.map((dim) => {
    const size = evaluate(dim, dims);
    if (size === undefined)
      throw new ShapeError(
        `${kernel.name}: the arguments do not give ${dim} of ${argument} ${kernel.writes[argument]}`,
      );
    return size;
  });
}
