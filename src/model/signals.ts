import { InputError, show } from "../runtime/errors.js";
import type { EncodeInputs } from "./arguments.js";
import type { HostTensor } from "./core.js";
import { allFinite } from "./finite.js";
import type { Stem } from "./graph/architecture.js";
import { stemLengths } from "./graph/stem.js";
import { type DeviceSignal, longest, type SignalInput } from "./inputs.js";
import { asRows, readNumber } from "./lists.js";
import { readSequences } from "./sequences.js";
import type { Sources } from "./sources.js";

/** Names of the inputs of speech models. */
export const SIGNALS = ["input_features", "input_values"] as const;

/**
 * Checks what the encoder of a speech model takes: spectra f32[B,C,frames], or samples f32[B,frames] whose padding
 * `attention_mask` leaves out. Throws InputError with the row for signals of another size, and for numbers that are not
 * finite.
 */
export function readSignals(family: string, stem: Stem, inputs: EncodeInputs): Sources {
  const { input } = stem;
  const { attention_mask: mask, ...others } = inputs;
  const isStray = (name: string): boolean => name !== input && !name.startsWith("decoder_");
  const stray = Object.entries(others).find(([name, value]) => isStray(name) && value !== undefined)?.[0];
  if (stray) throw new InputError(`${stray}: must be absent, ${family} reads signals; give ${input}`);
  if (input === "input_features" && mask !== undefined)
    throw new InputError(`attention_mask: must be absent, ${family} hears all frames; leave it out`);
  const sources = readBatch(stem, inputs[input], mask).map((signal, b) => {
    if (!("tensor" in signal || allFinite(signal)))
      throw new InputError(`${input}: must be finite, row ${b} has other values; mend them`);
    return signalInput(stem, signal, b);
  });
  const columns = sources.map(({ length }) => Array.from({ length }, (_, t) => t));
  return { rows: { ids: [], columns, given: [], masked: [], width: longest(columns) }, sources };
}

/** The signals of a call: those on the device as they are, others as f32[frames,C]. */
function readBatch({ input, C }: Stem, value: unknown, mask: unknown): readonly SignalInput["signal"][] {
  const list = [value].flat();
  if (list.length && list.every(isOnDevice)) return list;
  if (input === "input_features") return readSpectra(input, C, value);
  const given = readSamples(input, value);
  return mask === undefined ? given : unpadded(input, given, mask);
}

const isOnDevice = (value: unknown): value is DeviceSignal =>
  typeof value === "object" && value !== null && "tensor" in value;

/** Signal b of a call. Throws InputError when it has another number of frames than the model takes. */
export function signalInput(stem: Stem, signal: SignalInput["signal"], b = 0): SignalInput {
  const { input, C, least, most } = stem;
  const frames = "tensor" in signal ? signal.frames : signal.length / C;
  if ("tensor" in signal && signal.tensor.shape[1] !== C)
    throw new InputError(
      `${input}: row ${b} must have ${C} mel bands, got ${signal.tensor.shape[1]}; use the model's own feature extractor`,
    );
  if ("tensor" in signal && !(signal.first >= 0 && signal.first + frames <= signal.tensor.shape[0]))
    throw new InputError(
      `${input}: row ${b} must lie within ${signal.tensor.shape[0]} frames, got ${frames} from ${signal.first} on; begin before the end of the recording`,
    );
  const must = least === most ? `exactly ${most}` : `${least} to ${most}`;
  const cure = frames < least ? "pad it as the feature extractor of the model does" : "split or shorten it";
  if (!(frames >= least && frames <= most))
    throw new InputError(`${input}: row ${b} must have ${must} frames, got ${frames}; ${cure}`);
  return { signal, frames, length: stemLengths(stem, frames)[stem.convolutions.length - 1] };
}

/** Spectra f32[B,C,frames] by row, each as f32[frames,C]. */
function readSpectra(name: string, C: number, value: unknown): Float32Array<ArrayBuffer>[] {
  return splitBatch(name, value, 3).map((row, b) => {
    const bands = asRows(row);
    const frames = bands?.[0]?.length;
    if (bands?.length !== C || bands.some(({ length }) => length !== frames))
      throw new InputError(
        `${name}: row ${b} must have ${C} mel bands of equal length, got ${bands ? bands.length : show(row)}; its dims are [B,${C},frames]`,
      );
    const spectrum = new Float32Array(C * (frames as number));
    bands.forEach((band, c) => {
      for (let t = 0; t < band.length; t++) spectrum[t * C + c] = readNumber(band[t]);
    });
    return spectrum;
  });
}

/** Samples f32[B,frames] by row. */
function readSamples(name: string, value: unknown): Float32Array<ArrayBuffer>[] {
  const rows = asRows(splitBatch(name, value, 2));
  if (!rows) throw new InputError(`${name}: must be lists of samples, got ${show(value)}`);
  return rows.map((row) => Float32Array.from(row as ArrayLike<number>, readNumber));
}

/** The rows of a tensor { dims, data } with so many dimensions, as lists of typed arrays; other rows as they are. */
function splitBatch(name: string, value: unknown, rank: number): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  const { dims, data } = (value ?? {}) as Partial<HostTensor>;
  const wrong = (): InputError =>
    new InputError(
      `${name}: must be a tensor { dims, data } of ${rank} dimensions or lists of lists, at least one row, got ${show(dims ? { dims } : value)}`,
    );
  if (!Array.isArray(dims) || dims.length !== rank || !dims.every((size) => Number.isInteger(size) && size > 0))
    throw wrong();
  const flat = Array.isArray(data) ? Float32Array.from(data as number[], readNumber) : data;
  const width = dims[rank - 1] as number;
  const lines = (flat?.length ?? 0) / width;
  if (!(flat instanceof Float32Array) || lines !== dims.slice(0, -1).reduce((product, size) => product * size, 1))
    throw wrong();
  const line = (i: number): Float32Array => flat.subarray(i * width, (i + 1) * width);
  const each = lines / dims[0];
  const rows = Array.from({ length: dims[0] }, (_, b) => Array.from({ length: each }, (_, i) => line(b * each + i)));
  return rank === 2 ? rows.flat() : rows;
}

/** Samples without what the mask leaves out at their ends. */
function unpadded(
  name: string,
  rows: readonly Float32Array<ArrayBuffer>[],
  mask: unknown,
): Float32Array<ArrayBuffer>[] {
  const zeros = rows.map(({ length }) => new Uint8Array(length));
  const { columns } = readSequences(name, zeros, mask, { V: 1, P: Infinity });
  return rows.map((row, b) => row.slice(columns[b][0], columns[b][0] + columns[b].length));
}
