import type { Core } from "../src/model/core.js";
import { encodeAll } from "../src/model/encode/batches.js";
import { writeVectors } from "../src/model/encode/features.js";
import { whisper } from "../src/model/families/whisper.js";
import type { Stack, Stem } from "../src/model/graph/architecture.js";
import { stemLengths } from "../src/model/graph/stem.js";
import { packInputs } from "../src/model/inputs.js";
import { signalInput } from "../src/model/signals.js";
import type { FeatureExtractor } from "../src/model/speech/feature_extractor.js";
import { logMelSpectrum } from "../src/model/speech/log_mel.js";
import { tensor } from "../src/runtime/tensor.js";
import { randoms } from "../tests/support/harness.js";
import type { Bench, Context } from "./support/measure.js";
import { spread } from "./support/time.js";
import { openRandom } from "./support/random_model.js";

const MODELS = {
  "whisper-tiny": { d_model: 384, encoder_layers: 4, encoder_attention_heads: 6, encoder_ffn_dim: 1536 },
  "whisper-base": { d_model: 512, encoder_layers: 6, encoder_attention_heads: 8, encoder_ffn_dim: 2048 },
} as const;
const EXTRACTOR: FeatureExtractor = {
  sampling_rate: 16000,
  feature_size: 80,
  n_fft: 400,
  hop_length: 160,
  window: 3000,
};
const X = EXTRACTOR.n_fft / 2 + 1;
const REPEATS = 7;

/** Times a call, after one that compiles, and reports the share of the FMA roof that its operations take. */
async function measure(
  { roofs, report }: Context,
  shape: string,
  flops: number,
  call: () => Promise<unknown>,
): Promise<void> {
  const samples: number[] = [];
  for (let i = 0; i <= REPEATS; i++) {
    const start = performance.now();
    await call();
    samples.push(1e3 * (performance.now() - start));
  }
  const us = spread(samples.slice(1));
  const roof_percent = (100 * flops) / roofs.gflop_s / 1e3 / us.median;
  report(
    { bench: "speech", shape, us, roof_percent },
    `speech              ${shape.padEnd(52)}${(us.median / 1e3).toFixed(1).padStart(9)} ms` +
      `${(flops / us.median / 1e3).toFixed(1).padStart(9)} GFLOP/s${roof_percent.toFixed(0).padStart(5)} % of roof`,
  );
}

const noise = (seconds: number): Float32Array<ArrayBuffer> => {
  const random = randoms(3);
  return Float32Array.from({ length: 16000 * seconds }, () => random() / 4);
};

/** Spectra of noise in windows, and of one in passes. */
async function measureSpectra(context: Context): Promise<void> {
  for (const [seconds, frames] of [
    [30, 3000],
    [3, 3000],
    [120, 12000],
  ]) {
    const samples = noise(seconds);
    const flops = Math.min(100 * seconds, frames) * X * (4 * EXTRACTOR.n_fft + 9);
    const shape = `log-mel, ${seconds} s in ${frames} frames, to the host`;
    await measure(context, shape, flops, async () => {
      const spectrum = await logMelSpectrum(context, EXTRACTOR, samples, { frames });
      await spectrum.read();
      spectrum.dispose();
    });
  }
}

/** Operations of the products of the stem. */
function stemFlops(front: Stem, D: number): number {
  const lengths = stemLengths(front, front.most);
  return front.convolutions.reduce((sum, { taps }, i) => sum + 2 * lengths[i] * D * taps * (i ? D : front.C), 0);
}

function encoderFlops({ architecture: { D, encoder } }: Core): number {
  const { depth, F, P } = encoder as Stack;
  return depth * P * (8 * D * D + 4 * D * F + 4 * P * D);
}

async function measureModel(context: Context, name: keyof typeof MODELS): Promise<void> {
  const { gpu } = context;
  const core = openRandom(gpu, whisper, {
    ...MODELS[name],
    vocab_size: 100,
    decoder_layers: 1,
    decoder_attention_heads: 8,
  });
  const { D, encoder } = core.architecture;
  const front = (encoder as Stack).stem as Stem;
  const spectrum = await logMelSpectrum(context, EXTRACTOR, noise(30), { frames: 3000 });
  const input = signalInput(front, spectrum.window(0));
  const features = tensor("features", "f32", [input.length, D]);
  const packed = packInputs([input], D);
  await measure(context, `${name}, stem, 30 s, features to the host`, stemFlops(front, D), async () => {
    await writeVectors(core, packed, features);
    await gpu.read(features);
  });
  const flops = stemFlops(front, D) + encoderFlops(core);
  const wanted = { last_hidden_state: true };
  await measure(context, `${name}, stem and encoder, 30 s`, flops, () => encodeAll(core, [input], wanted));
  spectrum.dispose();
  core.idle.dispose();
  gpu.memory.free([...core.weights.tensors, features]);
}

/** The front of a speech model: spectra, convolutions and encoder on half a minute of audio, as whole calls. */
export const bench: Bench = {
  async run(context) {
    await measureSpectra(context);
    for (const name of Object.keys(MODELS) as (keyof typeof MODELS)[]) await measureModel(context, name);
  },
};
