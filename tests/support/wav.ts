/** A chunk of a RIFF file: four letters, and its content. */
export type Chunk = readonly [tag: string, content: Uint8Array | number[], statedSize?: number];

/** A RIFF file of these chunks; a chunk of odd size is followed by a byte of padding. */
export function riff(chunks: readonly Chunk[], { tag = "RIFF", kind = "WAVE" } = {}): Uint8Array<ArrayBuffer> {
  const letters = (text: string): number[] => Array.from(text, (letter) => letter.charCodeAt(0));
  const body = chunks.flatMap(([name, content, size = content.length]) => [
    ...letters(name),
    ...u32(size),
    ...content,
    ...(content.length % 2 ? [0] : []),
  ]);
  return Uint8Array.from([...letters(tag), ...u32(body.length + 4), ...letters(kind), ...body]);
}

const bytesOf = (size: number, write: (view: DataView) => void): number[] => {
  const view = new DataView(new ArrayBuffer(size));
  write(view);
  return [...new Uint8Array(view.buffer)];
};

const u16 = (value: number): number[] => bytesOf(2, (view) => view.setUint16(0, value, true));
const u32 = (value: number): number[] => bytesOf(4, (view) => view.setUint32(0, value, true));

/** What a chunk "fmt " says. */
export interface Format {
  readonly codec?: number;
  readonly channels?: number;
  readonly rate?: number;
  readonly bits?: number;
  /** Write it as WAVEFORMATEXTENSIBLE. */
  readonly extensible?: boolean;
}

/** The content of a chunk "fmt ". */
export function formatChunk({ codec = 1, channels = 1, rate = 16_000, bits = 16, extensible }: Format = {}): Chunk {
  const frame = (channels * bits) / 8;
  const head = [u16(channels), u32(rate), u32(rate * frame), u16(frame), u16(bits)].flat();
  if (!extensible) return ["fmt ", [...u16(codec), ...head]];
  const guid = [...u16(codec), 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
  return ["fmt ", [...u16(0xfffe), ...head, ...u16(22), ...u16(bits), ...u32(0), ...guid]];
}

/** The bytes of samples from -1 to 1 that stand one after another, as a file of this codec holds them. */
export function dataChunk(samples: ArrayLike<number>, { codec = 1, bits = 16 }: Format = {}): Chunk {
  const write: Record<string, (view: DataView, value: number) => void> = {
    "1/8": (view, value) => view.setUint8(0, 128 + Math.round(value * 128)),
    "1/16": (view, value) => view.setInt16(0, Math.round(value * 2 ** 15), true),
    "1/24": (view, value) => {
      const whole = Math.round(value * 2 ** 23);
      view.setUint16(0, whole & 0xffff, true);
      view.setInt8(2, whole >> 16);
    },
    "1/32": (view, value) => view.setInt32(0, Math.round(value * 2 ** 31), true),
    "3/32": (view, value) => view.setFloat32(0, value, true),
    "3/64": (view, value) => view.setFloat64(0, value, true),
  };
  const put = write[`${codec}/${bits}`];
  return ["data", Array.from(samples).flatMap((value) => bytesOf(bits / 8, (view) => put(view, value)))];
}

/** A WAV file of samples from -1 to 1; those of several channels take turns. */
export const wav = (samples: ArrayLike<number>, format: Format = {}): Uint8Array<ArrayBuffer> =>
  riff([formatChunk(format), dataChunk(samples, format)]);
