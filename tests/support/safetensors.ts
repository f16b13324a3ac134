import type { Entry } from "../../src/model/checkpoint/safetensors.js";
import type { SourceFile } from "../../src/model/checkpoint/source.js";

/** A tensor as a safetensors file stores it. */
export interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}

type Words = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;

export function stored(dtype: string, shape: readonly number[], words: Words): Stored {
  return { dtype, shape, data: new Uint8Array(words.buffer) };
}

export function storedF32(shape: readonly number[], values: Iterable<number>): Stored {
  return stored("F32", shape, Float32Array.from(values));
}

/** A file with this header and so many zero bytes of data; `length` is the header size that it states. */
export function rawFile(header: unknown, dataBytes = 0, length?: bigint): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** A valid file of these tensors, one after the other. */
export function safetensors(tensors: Readonly<Record<string, Stored>>): Uint8Array<ArrayBuffer> {
  let end = 0;
  const header = Object.entries(tensors).map(
    ([name, { dtype, shape, data }]) => [name, { dtype, shape, data_offsets: [end, (end += data.length)] }] as const,
  );
  const bytes = rawFile(Object.fromEntries(header), end);
  let at = bytes.length - end;
  for (const { data } of Object.values(tensors)) {
    bytes.set(data, at);
    at += data.length;
  }
  return bytes;
}

/** The tensors of a file. */
export function storedTensors(file: Uint8Array<ArrayBuffer>): Record<string, Stored> {
  const base = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, base))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [start: number, end: number] }
  >;
  return Object.fromEntries(
    Object.entries(header)
      .filter(([name]) => name !== "__metadata__")
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [start, end],
          },
        ]) => [name, { dtype, shape, data: file.slice(base + start, base + end) }],
      ),
  );
}

/** Tensors so many and large that they bound no size of a config: for architectures without a checkpoint. */
export const roomy: ReadonlyMap<string, Entry> = new Map(
  ["final_logits_bias", ...Array.from({ length: 999 }, (_, i) => `x${i}`)].map((name) => [
    name,
    { name, dtype: "F32", shape: [2 ** 31], start: 0, end: 0, file: "" },
  ]),
);

/** A SourceFile over bytes that records the ranges that are read. */
export function recordingFile(bytes: Uint8Array<ArrayBuffer>): SourceFile & { readonly ranges: [number, number][] } {
  const ranges: [number, number][] = [];
  return {
    size: bytes.length,
    ranges,
    async read(start, end) {
      ranges.push([start, end]);
      return bytes.slice(start, end);
    },
  };
}

/** A checkpoint source over files in memory; objects become JSON. */
export function inMemory(files: Readonly<Record<string, object>>) {
  return async (name: string): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const found = files[name];
    if (found === undefined || found instanceof Uint8Array) return found as Uint8Array<ArrayBuffer> | undefined;
    return new TextEncoder().encode(JSON.stringify(found));
  };
}

/** A file with one tensor of so many bytes, called w. */
export function weightsOf(bytes: number): Uint8Array<ArrayBuffer> {
  const file = rawFile({ w: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } }, bytes);
  for (let i = file.length - bytes, x = 1; i < file.length; i++) file[i] = x = (x * 75 + 74) % 65537;
  return file;
}
