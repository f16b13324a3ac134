import type { Checkpoint, Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";

/** How a Whisper model wants to hear audio; named as in preprocessor_config.json. */
export interface FeatureExtractor {
  /** Samples a second. */
  readonly sampling_rate: number;
  /** Mel bands, C. */
  readonly feature_size: number;
  /** Samples of a Fourier transform. */
  readonly n_fft: number;
  /** Samples from one frame to the next. */
  readonly hop_length: number;
  /** Frames that the model reads at once. */
  readonly window: number;
}

/**
 * Reads preprocessor_config.json, or the feature extractor in processor_config.json; undefined when there is neither.
 * Fields that are absent have the defaults of WhisperFeatureExtractor in Transformers. Throws CheckpointError for
 * another kind of extractor, for sizes out of reason, and for dither, another padding value or normalised samples.
 */
export async function readFeatureExtractor(checkpoint: Checkpoint): Promise<FeatureExtractor | undefined> {
  const own = await checkpoint.json("preprocessor_config.json");
  const file = `${checkpoint.label}/${own ? "preprocessor_config.json" : "processor_config.json"}`;
  const found = own ?? ((await checkpoint.json("processor_config.json"))?.feature_extractor as Json | undefined);
  if (!found) return undefined;
  const { count, number, flag, refuse } = readConfig(found, undefined, file);
  const size = (key: string, fallback: number, most: number): number => {
    const value = count(key, fallback);
    if (value > most) throw refuse(key, `at most ${most}`, value);
    return value;
  };
  const kind = found.feature_extractor_type ?? "WhisperFeatureExtractor";
  if (kind !== "WhisperFeatureExtractor") throw refuse("feature_extractor_type", "WhisperFeatureExtractor");
  if (number("dither", 0) !== 0) throw refuse("dither", "0: noise is not supported");
  if (number("padding_value", 0) !== 0) throw refuse("padding_value", "0: silence");
  if (flag("do_normalize", false)) throw refuse("do_normalize", "false");
  const sampling_rate = size("sampling_rate", 16000, 192000);
  const n_fft = size("n_fft", 400, 4096);
  const hop_length = size("hop_length", 160, n_fft);
  const window = Math.floor((size("chunk_length", 30, 600) * sampling_rate) / hop_length);
  return { sampling_rate, feature_size: size("feature_size", 80, 1024), n_fft, hop_length, window };
}

/**
 * The discrete Fourier transform of a frame under a periodic Hann window, as a matrix f32[2*X,n_fft]: the cosines of
 * the X = n_fft/2+1 bins, then their negative sines.
 */
export function fourierTable(n_fft: number): Float32Array<ArrayBuffer> {
  const X = Math.floor(n_fft / 2) + 1;
  const angles = Array.from({ length: n_fft }, (_, k) => (2 * Math.PI * k) / n_fft);
  const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)];
  const table = new Float32Array(2 * X * n_fft);
  for (let x = 0; x < X; x++)
    for (let t = 0; t < n_fft; t++) {
      const hann = 0.5 - 0.5 * cosines[t];
      table[x * n_fft + t] = hann * cosines[(x * t) % n_fft];
      table[(X + x) * n_fft + t] = -hann * sines[(x * t) % n_fft];
    }
  return table;
}

/** Filters of mel bands, and which bins of the spectrum each of them has: the arguments of the kernel `log_mel`. */
export interface MelFilters {
  /** f32[C,X]. */
  readonly filters: Float32Array<ArrayBuffer>;
  /** u32[C,2]: first bin and number of bins. */
  readonly bands: Uint32Array<ArrayBuffer>;
}

const HIGHEST = 8000; // Hz
const [LINEAR, BREAK, STEP] = [200 / 3, 1000, 27 / Math.log(6.4)]; // Hz a mel, Hz where it ends, mels an e-fold above

const toMel = (hertz: number): number =>
  hertz < BREAK ? hertz / LINEAR : BREAK / LINEAR + Math.log(hertz / BREAK) * STEP;
const toHertz = (mel: number): number =>
  mel < BREAK / LINEAR ? mel * LINEAR : BREAK * Math.exp((mel - BREAK / LINEAR) / STEP);

/**
 * Triangular filters of equal area, evenly spaced on Slaney's mel scale from 0 to 8000 Hz. Source: mel_filter_bank of
 * Transformers with norm and mel_scale "slaney" (Slaney 1998, Auditory Toolbox).
 */
export function melFilters({ sampling_rate, feature_size: C, n_fft }: FeatureExtractor): MelFilters {
  const X = Math.floor(n_fft / 2) + 1;
  const corners = Array.from({ length: C + 2 }, (_, c) => toHertz((toMel(HIGHEST) * c) / (C + 1)));
  const filters = new Float32Array(C * X);
  const bands = new Uint32Array(2 * C);
  for (let c = 0; c < C; c++) {
    const [low, middle, high] = corners.slice(c, c + 3);
    for (let x = 0; x < X; x++) {
      const hertz = (Math.floor(sampling_rate / 2) * x) / (X - 1);
      const height = Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
      if (height <= 0) continue;
      filters[c * X + x] = (2 * height) / (high - low);
      if (bands[2 * c + 1]++ === 0) bands[2 * c] = x;
    }
  }
  return { filters, bands };
}
