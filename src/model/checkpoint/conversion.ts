import { bf16ToF32, f16ToF32, f32ToF16 } from "../../runtime/half.js";
import { elements } from "../../runtime/tensor.js";
import { partSizes, storedShape, type WeightRow } from "./rows.js";

/** Numbers of a weight: f32, or the bits of f16. */
export type Values = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** A weight being put together from its parts in `format`; quantising comes after it. */
export interface Assembly {
  /** Adds a part as it is stored: `dtype` F32, F16 or BF16. The bytes must stay as they are until the next `add` or `whole`. */
  add(part: number, dtype: string, bytes: Uint8Array<ArrayBuffer>): void;
  /** The weight, when every part that is stored has been added. */
  whole(): Values;
}

export function assemble(row: WeightRow, format: "f32" | "f16"): Assembly {
  return row.derive ? assembleDerived(row, row.derive, format) : assembleLaid(row, format);
}

function assembleDerived(row: WeightRow, derive: NonNullable<WeightRow["derive"]>, format: "f32" | "f16"): Assembly {
  const stored = new Map<number, Float32Array>();
  const zeros = (part: number): Float32Array => new Float32Array(elements({ shape: storedShape(row, part) }));
  return {
    add(part, dtype, bytes) {
      stored.set(part, toF32(dtype, bytes).slice());
    },
    whole() {
      const values = derive(row.theirs.map((_, part) => stored.get(part) ?? zeros(part)));
      if (values.length !== elements(row))
        throw new Error(
          `weights: ${row.ours} [${row.shape}] must be derived with ${elements(row)} values, got ${values.length}`,
        );
      return format === "f16" ? f32ToF16(values) : values;
    },
  };
}

function assembleLaid(row: WeightRow, format: "f32" | "f16"): Assembly {
  const zeros = (): Values => (format === "f16" ? new Uint16Array(elements(row)) : new Float32Array(elements(row)));
  let whole: Values | undefined;
  return {
    add(part, dtype, bytes) {
      const values = format === "f16" ? toF16(dtype, bytes) : toF32(dtype, bytes);
      if (row.theirs.length === 1 && !row.transpose) whole = values;
      else lay((whole ??= zeros()), values, row, part);
    },
    whole: () => whole ?? zeros(),
  };
}

/** Lays the rows of a part behind those of the parts before it, or between them. */
function lay(whole: Values, values: Values, row: WeightRow, part: number): void {
  const sizes = partSizes(row);
  const [rows, width] = [sizes[part], whole.length / row.shape[0]];
  const before = sizes.slice(0, part).reduce((sum, size) => sum + size, 0);
  if (!row.transpose && !row.interleave) return whole.set(values, before * width);
  for (let r = 0; r < rows; r++) {
    const at = (row.interleave ? r * sizes.length + part : before + r) * width;
    if (!row.transpose) whole.set(values.subarray(r * width, (r + 1) * width), at);
    else for (let i = 0; i < width; i++) whole[at + i] = values[i * rows + r];
  }
}

function toF32(dtype: string, bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (dtype === "F32") return new Float32Array(...aligned(bytes, 4));
  const halves = new Uint16Array(...aligned(bytes, 2));
  return dtype === "F16" ? f16ToF32(halves) : bf16ToF32(halves);
}

function toF16(dtype: string, bytes: Uint8Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  return dtype === "F16" ? new Uint16Array(...aligned(bytes, 2)) : f32ToF16(toF32(dtype, bytes));
}

/** Where numbers `size` bytes wide can be viewed: in place, or in a copy when they start between two of their places. */
function aligned(bytes: Uint8Array<ArrayBuffer>, size: number): [buffer: ArrayBuffer, at: number, count: number] {
  const { buffer, byteOffset } = bytes.byteOffset % size ? new Uint8Array(bytes) : bytes;
  return [buffer, byteOffset, bytes.length / size];
}
