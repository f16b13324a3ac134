import { CheckpointError, InputError, show } from "../../runtime/errors.js";
import { isKind, openFile } from "../checkpoint/source.js";
import { resample } from "./resample.js";
import { isWav, readWav, type Recording } from "./wav.js";

/** Samples with their rate, under the names that Transformers' pipelines take. */
export interface RawAudio {
  /** Samples from -1 to 1, or a list of them for each channel. */
  readonly raw?: Float32Array | Float64Array | readonly (Float32Array | Float64Array)[];
  /** The same under its name in data sets. */
  readonly array?: RawAudio["raw"];
  /** Samples a second. */
  readonly sampling_rate: number;
}

/** What of the browsers' AudioBuffer is used here. */
export interface AudioBufferLike {
  /** How many channels there are, which are averaged. */
  readonly numberOfChannels: number;
  /** Samples a second. */
  readonly sampleRate: number;
  /** The samples of a channel. */
  getChannelData(channel: number): Float32Array;
}

/**
 * A recording: samples at the rate of the model (16 kHz), samples with their rate, an AudioBuffer, the path (Node, Deno)
 * or URL of a file, or a file's content. Files are WAV; browsers read whatever they can play.
 */
export type AudioInput =
  | Float32Array
  | Float64Array
  | RawAudio
  | AudioBufferLike
  | Blob
  | ArrayBuffer
  | Uint8Array<ArrayBuffer>
  | string
  | URL;

/**
 * One channel of samples of a recording at `rate` samples a second, channels averaged. Throws InputError for an input
 * that is none, for a file that cannot be read, and for samples that are not finite, not there, or whole
 * numbers.
 */
export async function readAudio(
  input: AudioInput,
  rate: number,
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const { channels, sampling_rate } = await recordingOf(input, rate, signal);
  if (!Number.isInteger(sampling_rate) || sampling_rate < LOWEST || sampling_rate > HIGHEST)
    throw new InputError(
      `audio: sampling_rate must be a whole number from ${LOWEST} to ${HIGHEST}, got ${show(sampling_rate)}; it is how many samples are a second`,
    );
  const [{ length } = { length: 0 }] = channels;
  const other = channels.find((channel) => channel.length !== length);
  if (other) throw new InputError(`audio: channels must be of one length, got ${length} and ${other.length} samples`);
  if (length === 0) throw new InputError("audio: must have at least one sample, got none; record or read it again");
  const samples = mix(channels);
  const odd = samples.findIndex((sample) => !(Math.abs(sample) <= LOUDEST));
  if (odd >= 0) {
    const [rule, cure] = Number.isFinite(samples[odd])
      ? ["from -1 to 1", "divide whole numbers by their largest"]
      : ["finite", "mend or cut the recording"];
    throw new InputError(`audio: samples must be ${rule}, got ${samples[odd]} at sample ${odd}; ${cure}`);
  }
  return resample(samples, sampling_rate, rate);
}

const LOWEST = 1000;
const HIGHEST = 768_000;
const LOUDEST = 64; // recordings that are not clipped, or brought to a variance of 1, go beyond 1, but not so far

function mix(channels: readonly ArrayLike<number>[]): Float32Array {
  const [first, ...others] = channels;
  const samples = Float32Array.from(first);
  if (others.length === 0) return samples;
  for (let t = 0; t < samples.length; t++) {
    const sum = others.reduce((total, channel) => total + channel[t], samples[t]);
    samples[t] = sum / channels.length;
  }
  return samples;
}

/** A recording whose samples may have more digits than f32. */
type AnyRecording = Omit<Recording, "channels"> & { readonly channels: readonly (Float32Array | Float64Array)[] };

async function recordingOf(input: AudioInput, rate: number, signal?: AbortSignal): Promise<AnyRecording> {
  if (isSamples(input)) return { channels: [input], sampling_rate: rate };
  if (typeof input === "string" || isKind(input, "URL")) return fetchRecording(String(input), rate, signal);
  if (isKind(input, "Blob") || isKind(input, "File"))
    return decode(new Uint8Array(await (input as Blob).arrayBuffer()), rate, (input as File).name);
  if (isKind(input, "ArrayBuffer")) return decode(new Uint8Array(input as ArrayBuffer), rate);
  if (isKind(input, "Uint8Array")) return decode(input as Uint8Array<ArrayBuffer>, rate);
  const { numberOfChannels, sampleRate, getChannelData } = (input ?? {}) as AudioBufferLike;
  if (typeof getChannelData === "function") {
    const buffer = input as AudioBufferLike;
    const channels = Array.from({ length: numberOfChannels }, (_, c) => buffer.getChannelData(c));
    return { channels, sampling_rate: sampleRate };
  }
  return rawRecording(input as RawAudio);
}

const isSamples = (value: unknown): value is Float32Array | Float64Array =>
  isKind(value, "Float32Array") || isKind(value, "Float64Array");

function rawRecording(input: RawAudio): AnyRecording {
  const { raw, array = raw, sampling_rate } = input ?? {};
  const channels = isSamples(array) ? [array] : array;
  if (!Array.isArray(channels) || !channels.every(isSamples))
    throw new InputError(
      `audio: must be a Float32Array, { raw, sampling_rate } with one, an AudioBuffer, or a WAV file as a path, URL, Blob or bytes, got ${show(array ?? input)}; whole numbers are divided by their largest first`,
    );
  return { channels, sampling_rate };
}

async function fetchRecording(place: string, rate: number, signal?: AbortSignal): Promise<AnyRecording> {
  try {
    const file = await openFile(place, signal);
    if (!file) throw new InputError(`audio: ${show(place)} must be a file, found none; check the path`);
    return await decode(await file.read(0, file.size, signal), rate, place);
  } catch (cause) {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw new InputError(`audio: ${cause.message}`, { cause });
  }
}

/** Decodes a file: WAV as it is, everything else by the browser, which brings it to `rate`. */
async function decode(bytes: Uint8Array<ArrayBuffer>, rate: number, name = "audio"): Promise<AnyRecording> {
  if (isWav(bytes)) return readWav(bytes, name);
  if (typeof OfflineAudioContext === "undefined")
    throw new InputError(
      `${name}: must be a WAV file, got ${formatOf(bytes)}; convert it, as by ffmpeg -i IN -ac 1 -ar ${rate} OUT.wav`,
    );
  try {
    const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.slice().buffer);
    return recordingOf(buffer, rate);
  } catch (cause) {
    throw new InputError(`${name}: must be a file that this browser can play, ${(cause as Error).message}`, { cause });
  }
}

/** How the files begin that people have in place of WAV. */
const FORMATS: readonly (readonly [begin: RegExp, name: string])[] = [
  [/^fLaC/, "FLAC"],
  [/^OggS/, "Ogg"],
  [/^(ID3|\xff[\xe2-\xfb])/, "MP3"],
  [/^....ftyp/s, "MP4"],
  [/^.E\xdf\xa3/s, "WebM"],
  [/^FORM/, "AIFF"],
  [/^(RIFX|RF64)/, "another kind of RIFF"],
];

function formatOf(bytes: Uint8Array): string {
  const begin = String.fromCharCode(...bytes.subarray(0, 12));
  return FORMATS.find(([pattern]) => pattern.test(begin))?.[1] ?? (bytes.length ? "another format" : "an empty file");
}
