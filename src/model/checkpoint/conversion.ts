import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../runtime/half.js";
import { elements } from "../../runtime/tensor.js";
import { partSizes, storedShape, type WeightRow } from "./rows.js";

/** The values of a weight: f32, or the bits of f16 or bf16. */
export type Values = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** A weight that is being put together from its stored parts; it is quantised after that. */
export interface Assembly {
  /** Adds a stored part; `dtype` is F32, F16 or BF16. The bytes must not change until the next `add` or `whole`. */
  add(part: number, dtype: string, bytes: Uint8Array<ArrayBuffer>): void;
  /** The whole weight, once all stored parts have been added. */
  whole(): Values;
}

/** What a weight is put together in. */
type Format = "f32" | "f16" | "bf16";

/** Begins a weight in that format. */
export function assemble(row: WeightRow, format: Format): Assembly {
  return row.derive ? assembleDerived(row, row.derive, format) : assembleLaid(row, format);
}

function assembleDerived(row: WeightRow, derive: NonNullable<WeightRow["derive"]>, format: Format): Assembly {
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
      return fromF32(values, format);
    },
  };
}

function assembleLaid(row: WeightRow, format: Format): Assembly {
  const zeros = (): Values => (format === "f32" ? new Float32Array(elements(row)) : new Uint16Array(elements(row)));
  let whole: Values | undefined;
  return {
    add(part, dtype, bytes) {
      const values = convert(dtype, bytes, format);
      if (row.theirs.length === 1 && !row.transpose) whole = values;
      else lay((whole ??= zeros()), values, row, part);
    },
    whole: () => whole ?? zeros(),
  };
}

/** Copies the rows of a part to their places: after those of the parts before it, or in turn with them. */
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

function fromF32(values: Float32Array<ArrayBuffer>, format: Format): Values {
  if (format === "f32") return values;
  return format === "f16" ? f32ToF16(values) : f32ToBf16(values);
}

function convert(dtype: string, bytes: Uint8Array<ArrayBuffer>, format: Format): Values {
  const stored = dtype.toLowerCase() === format;
  return stored && format !== "f32" ? new Uint16Array(...aligned(bytes, 2)) : fromF32(toF32(dtype, bytes), format);
}

/** Where numbers of `size` bytes can be viewed: in place if they are aligned, else in a copy. */
function aligned(bytes: Uint8Array<ArrayBuffer>, size: number): [buffer: ArrayBuffer, at: number, count: number] {
  const { buffer, byteOffset } = bytes.byteOffset % size ? new Uint8Array(bytes) : bytes;
  return [buffer, byteOffset, bytes.length / size];
}
