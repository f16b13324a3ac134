/** What a decoding is judged by. */
export interface Judged {
  readonly tokens: readonly number[];
  /** The mean log-probability of its tokens, the end token included. */
  readonly logprob?: number;
  /** The probability that there is no speech. */
  readonly noSpeech?: number;
}

/** The limits of a decoding that is accepted; null means none. */
export interface Thresholds {
  readonly compression_ratio_threshold?: number | null;
  readonly logprob_threshold?: number | null;
  readonly no_speech_threshold?: number | null;
}

/** What becomes of a decoding. */
export type Verdict = "keep" | "retry" | "skip";

/**
 * Whether a decoding is good ("keep"), is to be tried again at a higher temperature ("retry"), since it repeats itself or
 * is improbable, or whether its window holds no speech ("skip"). Source: `_need_fallback` of Transformers,
 * generation_whisper.py (Radford et al. 2022, arXiv:2212.04356, section 4.5).
 */
export async function judge(
  { tokens, logprob = 0, noSpeech = 0 }: Judged,
  { compression_ratio_threshold: ratio, logprob_threshold: least, no_speech_threshold: silence }: Thresholds,
  V: number,
): Promise<Verdict> {
  const improbable = typeof least === "number" && logprob < least;
  if (improbable && typeof silence === "number" && noSpeech > silence) return "skip";
  if (improbable) return "retry";
  return typeof ratio === "number" && (await compressionRatio(tokens, V)) > ratio ? "retry" : "keep";
}

/** What Deno adds where the input ends, before the checksum: an empty block that flushes, and one that ends the stream. */
const FLUSH = [0, 0, 255, 255, 3, 0];

/** Bytes of the token ids by bytes of the same compressed by zlib, of which runtimes make a few more or less. */
export async function compressionRatio(tokens: readonly number[], V: number): Promise<number> {
  const width = Math.floor(Math.log2(V) / 8) + 1;
  const bytes = Uint8Array.from(tokens.flatMap((id) => Array.from({ length: width }, (_, k) => (id >> (8 * k)) & 255)));
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  const compressed = new Uint8Array(await new Response(stream).arrayBuffer());
  const end = compressed.subarray(-4 - FLUSH.length);
  const flushed = FLUSH.every((byte, i) => end[i] === byte) ? FLUSH.length : 0;
  return bytes.length / (compressed.length - flushed);
}
