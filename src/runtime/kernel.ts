import { ShapeError } from "./errors.js";
import { describe, type DType, type Tensor } from "./tensor.js";

/** Sizes by letter, scalars by name and constants by NAME: all that a launch is a function of. */
export type Dims = Readonly<Record<string, number>>;

/** Shape patterns by argument, such as `f32[N,D]`, `f32|f16[O,I]`, `f32[R,H*E+2*K*E]`, `f32[O]?` (optional). */
export type Patterns = Readonly<Record<string, string>>;

/** What a reference reads and writes: numbers of f64 precision whatever the storage format. */
export interface Values {
  [index: number]: number;
  readonly length: number;
}

type OptionalKeys<P extends Patterns> = { [A in keyof P]: P[A] extends `${string}?` ? A : never }[keyof P];
export type Arguments<P extends Patterns> = { [A in Exclude<keyof P, OptionalKeys<P>>]: Tensor } & {
  [A in OptionalKeys<P>]?: Tensor | undefined;
};
export type Written<P extends Patterns> = { [A in keyof P]: P[A] extends `${string}?` ? Tensor | undefined : Tensor };
type Arrays<P extends Patterns> = { [A in Exclude<keyof P, OptionalKeys<P>>]: Values } & {
  [A in OptionalKeys<P>]?: Values;
};

/** One way to run a kernel: the text of a shader, where it can run and how it is launched. */
export interface Variant {
  readonly name: string;
  /** The shader's own text, then the parts that it names (`joinShader`). */
  readonly wgsl: string;
  /** Features that the device must have. */
  readonly needs?: readonly GPUFeatureName[];
  /** The class of adapters that it is for; any when absent. */
  readonly for?: "cpu" | "gpu";
  /** Whether it can take these sizes (SUBGROUP among them: the device's subgroup size, 0 where it varies); always when absent. */
  fits?(d: Dims): boolean;
  /** Whether it is the choice at these sizes, of those that fit, before anything is measured; always when absent. */
  suits?(d: Dims): boolean;
  /** Workgroups to launch, by sizes and constants; the runtime folds them into x and y. */
  groups(d: Dims): number;
  /** Values of constants that depend on the sizes. */
  constants?(d: Dims): Dims;
  /** Other values of those constants, for `tune` to measure; only the values above when absent. */
  tunings?(d: Dims): readonly Dims[];
}

/** A kernel: what it reads and writes, its variants, its cost and its reference. */
export interface Kernel<
  R extends Patterns = Patterns,
  W extends Patterns = Patterns,
  P extends string = string,
  C extends string = string,
> {
  readonly name: string;
  readonly reads: R;
  /** Written arguments; one that the caller supplies is updated in place. */
  readonly writes: W;
  /** Scalars of `struct Params` that no shape gives. */
  readonly params: readonly P[];
  /** Constants of the shader that the caller may choose. */
  readonly constants: readonly C[];
  /** Preferred first; the last takes any sizes on any device. */
  readonly variants: readonly Variant[];
  /** What is wrong with sizes that fit the patterns, if anything. */
  check?(d: Dims): string | undefined;
  /** Least possible memory traffic, and arithmetic, of one launch. */
  bytes(d: Dims): number;
  flops(d: Dims): number;
  /** The oracle: slow, plain, in f64. */
  reference(d: Dims, t: Arrays<R & W>): void;
}

/** Declares a kernel; gives the object its types and nothing else. */
export function defineKernel<
  const R extends Patterns,
  const W extends Patterns,
  const P extends string = never,
  const C extends string = never,
>(kernel: Kernel<R, W, P, C>): Kernel<R, W, P, C> {
  return kernel;
}

export interface Pattern {
  readonly dtypes: readonly DType[];
  readonly dims: readonly string[];
  readonly optional: boolean;
}

export function parsePattern(text: string): Pattern {
  const [, dtypes, dims, optional] = text.match(/^([a-z0-9|]+)\[([^\]]*)\](\??)$/) ?? [];
  if (dtypes === undefined) throw new Error(`pattern must look like f32[N,D], got ${text}`);
  return { dtypes: dtypes.split("|") as DType[], dims: dims.split(","), optional: optional === "?" };
}

/** Value of a sum of products of letters and numbers; undefined while a letter is unknown. */
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
 * Binds the letters of a kernel's patterns to the sizes of its arguments, and adds the constants that the arguments imply:
 * HAS_X for an optional argument x, X_FORMAT for one of several formats (the index of its format in the pattern).
 * Throws ShapeError naming kernel, argument, pattern, what is known and what was given.
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

/** Shape of a written argument, once its letters are known. */
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
