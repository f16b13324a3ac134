import { CheckpointError } from "../../runtime/errors.js";
import type { SourceFile } from "./source.js";

const BYTES: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
};
const LARGEST_HEADER = 100_000_000; // the limit of the safetensors library

/** A tensor in a safetensors file. */
export interface Entry {
  readonly name: string;
  /** As the format writes it: F32, BF16, I64, ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Its bytes in the file, `end` excluded. */
  readonly start: number;
  readonly end: number;
  /** The name of the file. */
  readonly file: string;
}

/**
 * Reads and checks the header of a safetensors file, without its tensors. Throws CheckpointError naming the file and
 * the fault: a file that is too short or too long, an impossible header size, no JSON, an unknown dtype, sizes that
 * disagree, overlaps, or holes. Source: https://github.com/huggingface/safetensors, section Format.
 */
export async function readHeader(name: string, file: SourceFile, signal?: AbortSignal): Promise<Entry[]> {
  const refuse = (text: string): CheckpointError => new CheckpointError(`${name}: ${text}; fetch the file again`);
  if (file.size < 10) throw refuse(`a safetensors file must have at least 10 bytes, got ${file.size}`);
  const prefix = await file.read(0, 8, signal);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (length < 2 || length > LARGEST_HEADER || length > file.size - 8) {
    throw refuse(
      `the header must have 2 to ${Math.min(LARGEST_HEADER, file.size - 8)} bytes, its length says ${length}`,
    );
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await file.read(8, 8 + length, signal)));
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw refuse("the header must be JSON, it is not");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw refuse("the header must be a JSON object");
  const base = 8 + length;
  const entries = Object.entries(header)
    .filter(([key]) => key !== "__metadata__")
    .map(([key, value]) => readEntry(name, key, value, base, refuse));
  checkLayout(
    [...entries].sort((a, b) => a.start - b.start || a.end - b.end),
    base,
    file.size,
    refuse,
  );
  return entries;
}

function readEntry(
  file: string,
  name: string,
  value: unknown,
  base: number,
  refuse: (text: string) => CheckpointError,
): Entry {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  const counts = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== "string" || !Object.hasOwn(BYTES, dtype))
    throw refuse(`${name}: dtype must be one of ${Object.keys(BYTES).join(" ")}, got ${JSON.stringify(dtype)}`);
  if (!counts(shape)) throw refuse(`${name}: shape must be a list of sizes, got ${JSON.stringify(shape)}`);
  if (!counts(offsets) || offsets.length !== 2)
    throw refuse(`${name}: data_offsets must be two positions, got ${JSON.stringify(offsets)}`);
  const bytes = shape.reduce((product, size) => product * size, BYTES[dtype]);
  if (offsets[1] - offsets[0] !== bytes) {
    throw refuse(`${name}: ${dtype}[${shape}] must take ${bytes} bytes, data_offsets give ${offsets[1] - offsets[0]}`);
  }
  return { name, dtype, shape, start: base + offsets[0], end: base + offsets[1], file };
}

function checkLayout(
  sorted: readonly Entry[],
  base: number,
  size: number,
  refuse: (text: string) => CheckpointError,
): void {
  let at = base;
  for (const entry of sorted) {
    if (entry.start < at)
      throw refuse(`${entry.name}: must not overlap the tensor before it, starts ${at - entry.start} bytes early`);
    if (entry.start > at)
      throw refuse(`${entry.name}: must follow the tensor before it, leaves a hole of ${entry.start - at} bytes`);
    at = entry.end;
  }
  if (at !== size) throw refuse(`the file must have ${at} bytes, got ${size}${at > size ? " (truncated)" : ""}`);
}
