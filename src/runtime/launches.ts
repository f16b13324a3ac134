import { type Kernel, parsePattern } from "./kernel.js";
import type { Launch } from "./plan.js";
import { byteLength, type Tensor } from "./tensor.js";
import type { Choice } from "./variants.js";

/** Rows of a launch that are dispatched at once. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** A grid of workgroups. */
export interface Grid {
  readonly x: number;
  readonly y: number;
}

const BLOCK = 64; // rows: 64 rows of any number of words begin at a multiple of 256 bytes, as bindings must

/** Floating-point operations of a launch, above which it is cut by rows, unless a device says otherwise. */
export const LAUNCH_FLOPS = 20e9;

/**
 * The ranges of rows into which a launch is cut so that each has at most `most` operations, if the rows of its kernel
 * are independent; one range of all rows where it fits, or the kernel has none.
 */
export function rowRanges({ kernel, dims }: Launch, most: number): RowRange[] {
  const { rowAxis } = kernel;
  const rows = rowAxis ? dims[rowAxis] : 1;
  const flops = kernel.flops(dims);
  if (!rowAxis || flops <= most) return [{ first: 0, count: rows }];
  const block = Math.max(BLOCK, Math.floor((rows * most) / flops / BLOCK) * BLOCK);
  return Array.from({ length: Math.ceil(rows / block) }, (_, index) => ({
    first: index * block,
    count: Math.min(block, rows - index * block),
  }));
}

/** Whether the rows of this argument are the rows of a launch. */
export function hasRows({ reads, writes, rowAxis }: Kernel, argument: string): boolean {
  const pattern = reads[argument] ?? writes[argument];
  return rowAxis !== undefined && parsePattern(pattern).dims[0] === rowAxis;
}

/** Bytes of so many rows of a tensor; of a multiple of 64 rows, unless they are the last. */
export const rowBytes = ({ shape: [, ...columns], dtype }: Tensor, rows: number): number =>
  byteLength({ shape: [rows, ...columns], dtype });

/** The workgroups of so many rows of a launch in two dimensions, because one dimension has at most 65,535. */
export function gridOf({ variant, dims }: Choice, rowAxis: string | undefined, count: number): Grid {
  const groups = variant.groups(rowAxis ? { ...dims, [rowAxis]: count } : dims);
  const y = Math.ceil(groups / 65535);
  return { x: Math.ceil(groups / y), y };
}
