import { InputError } from "../../runtime/errors.js";

/** A recording: its samples from -1 to 1, a list for each channel, and how many of them are a second. */
export interface Recording {
  readonly channels: readonly Float32Array[];
  readonly sampling_rate: number;
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

const CODECS: Readonly<Record<number, string>> = {
  2: "Microsoft ADPCM",
  6: "A-law",
  7: "mu-law",
  0x11: "IMA ADPCM",
  0x31: "GSM 6.10",
  0x55: "MP3",
  0xff: "AAC",
};

/** Sizes from here on are what programs write that do not know the end of their stream yet. */
const OPEN_ENDED = 0x7ffff000;

/** Whether bytes begin as a WAV file does. */
export const isWav = (bytes: Uint8Array): boolean => tagAt(bytes, 0) === "RIFF" && tagAt(bytes, 8) === "WAVE";

const tagAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

/**
 * Reads a WAV file: PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64, with any number of channels. Throws InputError
 * for another codec, for what is no WAV file, and for one that is cut off. Source: Multimedia Programming Interface and
 * Data Specifications 1.0 (1991), chapter 2; WAVEFORMATEXTENSIBLE (2001).
 */
export function readWav(bytes: Uint8Array<ArrayBuffer>, label = "audio"): Recording {
  if (!isWav(bytes))
    throw new InputError(`${label}: must begin with RIFF and WAVE, as WAV files do; convert it to WAV`);
  const { format, data } = findChunks(bytes, label);
  if (!format || format.byteLength < 16)
    throw new InputError(`${label}: must have a chunk "fmt " of at least 16 bytes; convert it to WAV again`);
  const stated = format.getUint16(0, true);
  const codec = stated === EXTENSIBLE && format.byteLength >= 26 ? format.getUint16(24, true) : stated;
  const count = format.getUint16(2, true);
  const sampling_rate = format.getUint32(4, true);
  const frame = format.getUint16(12, true); // bytes of one sample of all channels
  const width = frame / count; // bytes
  const read = READERS[codec]?.[width];
  if (!(codec in READERS)) {
    const name = CODECS[codec] ? ` (${CODECS[codec]})` : "";
    throw new InputError(
      `${label}: the codec of a WAV file must be PCM (1) or float (3), got ${codec}${name}; convert it, as by ffmpeg -i IN -c:a pcm_s16le OUT.wav`,
    );
  }
  if (!read)
    throw new InputError(
      `${label}: samples must have ${codec === PCM ? "8, 16, 24 or 32 bits" : "32 or 64 bits"}, got ${8 * frame} for ${count} channels; convert it to 16 bits`,
    );
  if (!data) throw new InputError(`${label}: must have a chunk "data", found none; the file is cut off or empty`);
  if (data.byteLength % frame)
    throw new InputError(
      `${label}: the data must be whole samples of ${frame} bytes, got ${data.byteLength} bytes; the file is cut off`,
    );
  const channels = Array.from({ length: count }, (_, c) => {
    const samples = new Float32Array(data.byteLength / frame);
    for (let t = 0; t < samples.length; t++) samples[t] = read(data, t * frame + c * width);
    return samples;
  });
  return { channels, sampling_rate };
}

type Reader = (data: DataView, at: number) => number;

/** How samples are read, by codec and bytes. Bytes are unsigned, all others signed. */
const READERS: Readonly<Record<number, Readonly<Record<number, Reader>>>> = {
  [PCM]: {
    1: (data, at) => (data.getUint8(at) - 128) / 128,
    2: (data, at) => data.getInt16(at, true) / 2 ** 15,
    3: (data, at) => (data.getInt8(at + 2) * 2 ** 16 + data.getUint16(at, true)) / 2 ** 23,
    4: (data, at) => data.getInt32(at, true) / 2 ** 31,
  },
  [FLOAT]: {
    4: (data, at) => data.getFloat32(at, true),
    8: (data, at) => data.getFloat64(at, true),
  },
};

interface Chunks {
  readonly format?: DataView;
  readonly data?: DataView;
}

/** The chunks that matter, in whatever order they stand. Throws InputError when one is cut off. */
function findChunks(bytes: Uint8Array<ArrayBuffer>, label: string): Chunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Record<string, DataView> = {};
  for (let at = 12; at + 8 <= bytes.length;) {
    const tag = tagAt(bytes, at);
    const stated = view.getUint32(at + 4, true);
    const rest = bytes.length - at - 8;
    const size = tag === "data" && stated >= OPEN_ENDED ? Math.min(stated, rest) : stated;
    const matters = tag === "fmt " || tag === "data";
    if (matters && size > rest)
      throw new InputError(
        `${label}: chunk ${JSON.stringify(tag)} must have ${size} bytes, the file has ${rest} of them; it is cut off: fetch or record it again`,
      );
    if (matters) found[tag] ??= new DataView(bytes.buffer, bytes.byteOffset + at + 8, size);
    at += 8 + size + (size % 2); // chunks begin at even places
  }
  return { format: found["fmt "], data: found.data };
}
