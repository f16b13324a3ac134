import { dynamicRange } from "../../kernels/dynamic_range.js";
import { logMel } from "../../kernels/log_mel.js";
import { matmul } from "../../kernels/matmul.js";
import { unfold } from "../../kernels/unfold.js";
import { POOLING, pooling } from "../../kernels/pooling.js";
import { InputError } from "../../runtime/errors.js";
import type { Gpu } from "../../runtime/gpu.js";
import { record, type Run } from "../../runtime/plan.js";
import { prefix, type Tensor, tensor } from "../../runtime/tensor.js";
import type { Core, HostTensor } from "../core.js";
import { allFinite } from "../finite.js";
import { type Held, holdTensors } from "../held.js";
import { type DeviceSignal, packRows, packSpans } from "../inputs.js";
import { type FeatureExtractor, fourierTable, melFilters } from "./feature_extractor.js";

/** The log-mel spectrum of a recording, on the device. Release it with `dispose()`. */
export interface LogMel {
  /** Frames of the recording. */
  readonly frames: number;
  /** As many frames as a model reads at once, from frame `first` on, for `input_features`: zeros past the recording. */
  window(first: number): DeviceSignal;
  /** The spectrum on the host, f32[1,C,frames], as the feature extractor of Transformers gives it. */
  read(): Promise<HostTensor>;
  /** Frees the memory on the device. */
  dispose(): void;
}

/** How to make a log-mel spectrum. */
export interface LogMelOptions {
  /** To how many frames to cut the recording, or to fill it up with silence. Default: as many as it has. */
  readonly frames?: number;
  /** Stops between launches. */
  readonly signal?: AbortSignal;
}

const CHUNK = 1000; // most frames of a pass, which bounds the memory of its spectra
const [FLOOR, RANGE] = [1e-10, 8]; // the least power; powers of ten below the peak
const FAN = 64; // rows of which an invocation finds the peak

/**
 * The log-mel spectrum of samples at the rate of the extractor (Radford et al. 2022, arXiv:2212.04356, section 2.2), as
 * WhisperFeatureExtractor of Transformers computes it: mirrored at both ends, without the last frame, limited to 8
 * powers of ten below the peak of the recording. Three launches for every 1,000 frames that are not silence, and a few
 * in the end. Throws InputError for samples that are not finite or too few, and the signal's reason.
 */
export async function logMelSpectrum(
  { gpu }: Pick<Core, "gpu">,
  extractor: FeatureExtractor,
  samples: Float32Array,
  { frames, signal }: LogMelOptions = {},
): Promise<LogMel> {
  const { feature_size: C, window } = extractor;
  const sound = mirror(extractor, samples, frames);
  const out = tensor("log_mel", "f32", [sound.frames + window, C]); // zeros at first, as the windows want them
  const held = holdTensors(gpu);
  try {
    const logs = held.make("mel_logs", "f32", [sound.heard, C]);
    await writeLogs(gpu, held, extractor, sound, logs, signal);
    await runPlan(gpu, "log_mel_range", (run) => {
      const peak = findPeak(run, held, logs);
      run(
        dynamicRange,
        "log_mel",
        { x: logs, peak, out: prefix(out, [sound.frames, C]) },
        {
          range: RANGE,
          silence: Math.log10(FLOOR),
        },
      );
    });
  } catch (error) {
    gpu.memory.free([out]);
    throw error;
  } finally {
    held.free();
  }
  return {
    frames: sound.frames,
    window: (first) => ({ tensor: out, first, frames: window }),
    async read() {
      const [rows] = await gpu.read(out);
      const T = sound.frames;
      const data = new Float32Array(C * T);
      for (let c = 0; c < C; c++) for (let t = 0; t < T; t++) data[c * T + t] = rows[t * C + c];
      return { dims: [1, C, T], data };
    },
    dispose: () => gpu.memory.free([out]),
  };
}

/** A recording that is mirrored at both ends by half a transform. */
interface Mirrored {
  readonly frames: number;
  /** The first so many frames are not silent for being past the samples. */
  readonly heard: number;
  /** `count` samples from `first` on. */
  slice(first: number, count: number): Float32Array<ArrayBuffer>;
}

function mirror({ hop_length, n_fft }: FeatureExtractor, samples: Float32Array, wanted?: number): Mirrored {
  const half = Math.floor(n_fft / 2);
  const length = wanted === undefined ? samples.length : wanted * hop_length;
  if (!allFinite(samples)) {
    const bad = samples.findIndex((value) => !Number.isFinite(value));
    throw new InputError(`audio: samples must be finite, sample ${bad} is ${samples[bad]}; mend it`);
  }
  const least = Math.max(half + 1, hop_length);
  if (length < least) throw new InputError(`audio: must have at least ${least} samples, got ${length}; add silence`);
  const frames = Math.floor(length / hop_length);
  const heard = Math.ceil((Math.min(samples.length, length) + half) / hop_length);
  return {
    frames,
    heard: Math.min(frames, heard),
    slice(first, count) {
      const slice = new Float32Array(count);
      for (let i = 0; i < count; i++) {
        const at = length - 1 - Math.abs(length - 1 - Math.abs(first + i - half));
        if (at < samples.length) slice[i] = samples[at];
      }
      return slice;
    },
  };
}

async function runPlan(gpu: Gpu, name: string, build: (run: Run) => void): Promise<void> {
  const prepared = await gpu.prepare(record(name, build));
  try {
    await prepared.run();
  } finally {
    prepared.dispose();
  }
}

/** Writes the logarithms f32[N,C] of all frames that are heard, in passes of equal size. */
async function writeLogs(
  gpu: Gpu,
  held: Held,
  extractor: FeatureExtractor,
  sound: Mirrored,
  logs: Tensor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { feature_size: C, hop_length: STRIDE, n_fft: TAPS } = extractor;
  const X = Math.floor(TAPS / 2) + 1;
  const passes = Math.ceil(sound.heard / CHUNK);
  const N = Math.ceil(sound.heard / passes);
  const { filters, bands } = melFilters(extractor);
  const length = (N - 1) * STRIDE + TAPS;
  const x = held.make("samples", "f32", [length, 1]);
  const rows = held.put("frame_rows", [N, 4], packRows([Array<number>(N).fill(0)]));
  const spans = held.put("frame_spans", [1, 2], Uint32Array.of(0, length));
  const weight = held.put("fourier", [2 * X, TAPS], fourierTable(TAPS));
  const mel = { filters: held.put("filters", [C, X], filters), bands: held.put("bands", [C, 2], bands) };
  const out = held.make("pass_logs", "f32", [N, C]);
  const plan = record("log_mel", (run) => {
    const { columns } = run(unfold, "frames", { rows, spans, x }, { TAPS, STRIDE, PAD: 0 });
    const y = { x: columns, weight };
    const spectrum = run(
      matmul,
      "spectrum",
      { ...y, y: tensor("spectrum", "f32", [N, 2 * X], "activation") },
      {
        J: 1,
        O: 2 * X,
        y_at: 0,
        eps: 0,
      },
    ).y;
    run(logMel, "mel", { spectrum, ...mel, out }, { floor: FLOOR });
  });
  const prepared = await gpu.prepare(plan);
  try {
    for (let first = 0; first < sound.heard; first += N) {
      signal?.throwIfAborted();
      gpu.write(x, sound.slice(first * STRIDE, length));
      await prepared.run();
      const count = C * Math.min(N, sound.heard - first);
      await gpu.copy([{ from: out, fromAt: 0, to: logs, toAt: first * C, count }]);
    }
  } finally {
    prepared.dispose();
  }
}

/** The largest of all numbers of x f32[N,C], as f32[1,1]. */
function findPeak(run: Run, held: Held, x: Tensor): Tensor {
  let peak = x;
  const reduce = (): void => {
    for (let [N] = peak.shape; N > 1; [N] = peak.shape) {
      const groups = Array.from({ length: Math.ceil(N / FAN) }, (_, g) => ({ length: Math.min(FAN, N - g * FAN) }));
      const spans = held.put("peak_spans", [groups.length, 2], packSpans(groups));
      peak = run(pooling, "peak", { x: peak, spans }, { MODE: POOLING.max, NORMALIZE: 0 }).out;
    }
  };
  reduce(); // over the frames
  peak = prefix(peak, [x.shape[1], 1]);
  reduce(); // over the bands
  return peak;
}
