import { CheckpointError, show } from "../../runtime/errors.js";
import { mistakenFor } from "./files.js";
import type { SourceFile } from "./source.js";

/** Bits of a value of each dtype. Only floats of 16 and 32 bits can be used, but others may be in a file. */
const BITS: Readonly<Record<string, number>> = {
  F64: 64,
  I64: 64,
  U64: 64,
  C64: 64,
  F32: 32,
  I32: 32,
  U32: 32,
  F16: 16,
  BF16: 16,
  I16: 16,
  U16: 16,
  I8: 8,
  U8: 8,
  BOOL: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F8_E8M0: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
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
 * the fault: a file that is too short or too long or of another kind, an impossible header size, no JSON, a name that
 * occurs twice, an unknown dtype, sizes that disagree, overlaps, or holes. Source: https://github.com/huggingface/safetensors, section Format.
 */
export async function readHeader(name: string, file: SourceFile, signal?: AbortSignal): Promise<Entry[]> {
  const refuse = (text: string): CheckpointError =>
    new CheckpointError(`${file.label ?? name}: ${text}; fetch the file again`);
  if (file.size < 10) throw refuse(`a safetensors file must have at least 10 bytes, got ${file.size}`);
  const prefix = await file.read(0, 8, signal);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (length < 2 || length > LARGEST_HEADER || length > file.size - 8) {
    const other = await mistakenFor(file, signal);
    if (other) throw new CheckpointError(`${file.label ?? name}: ${other}`);
    throw refuse(
      `the header must have 2 to ${Math.min(LARGEST_HEADER, file.size - 8)} bytes, its length says ${length}`,
    );
  }
  const header = parseHeader(await file.read(8, 8 + length, signal), refuse);
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

function parseHeader(bytes: Uint8Array<ArrayBuffer>, refuse: (text: string) => CheckpointError): object {
  let header: unknown;
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw refuse("the header must be JSON, it is not");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw refuse("the header must be a JSON object");
  const { __metadata__: metadata = {} } = header as { __metadata__?: unknown };
  if (!isTexts(metadata)) throw refuse(`__metadata__ must be an object of texts, got ${show(metadata)}`);
  if (writtenKeys(text) !== keysOf(header)) throw refuse("no name in the header must occur twice, one does");
  return header;
}

const isTexts = (value: unknown): boolean =>
  value === null ||
  (typeof value === "object" && !Array.isArray(value) && Object.values(value).every((one) => typeof one === "string"));

/** How many keys the objects in JSON text have, those that occur again included. */
function writtenKeys(text: string): number {
  let keys = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    at++;
    while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at++;
    while (" \t\n\r".includes(text[at] || ".")) at++;
    if (text[at] === ":") keys++;
  }
  return keys;
}

/** How many keys an object and the objects in it have; headers nest no deeper. */
const keysOf = (header: object): number =>
  [header, ...Object.values(header)].reduce((sum: number, one: unknown) => {
    const isObject = typeof one === "object" && one !== null && !Array.isArray(one);
    return sum + (isObject ? Object.keys(one).length : 0);
  }, 0);

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
  const who = name.slice(0, 200);
  if (typeof dtype !== "string" || !Object.hasOwn(BITS, dtype))
    throw refuse(`${who}: dtype must be one of ${Object.keys(BITS).join(" ")}, got ${show(dtype)}`);
  if (!counts(shape)) throw refuse(`${who}: shape must be a list of sizes, got ${show(shape)}`);
  if (!counts(offsets) || offsets.length !== 2)
    throw refuse(`${who}: data_offsets must be two positions, got ${show(offsets)}`);
  const bytes = shape.reduce((product, size) => product * size, BITS[dtype]) / 8;
  if (offsets[1] - offsets[0] !== bytes) {
    throw refuse(
      `${who}: ${dtype}${show(shape)} must take ${bytes} bytes, data_offsets give ${offsets[1] - offsets[0]}`,
    );
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
      throw refuse(
        `${entry.name.slice(0, 200)}: must not overlap the tensor before it, starts ${at - entry.start} bytes early`,
      );
    if (entry.start > at)
      throw refuse(
        `${entry.name.slice(0, 200)}: must follow the tensor before it, leaves a hole of ${entry.start - at} bytes`,
      );
    at = entry.end;
  }
  if (at !== size) throw refuse(`the file must have ${at} bytes, got ${size}${at > size ? " (truncated)" : ""}`);
}
