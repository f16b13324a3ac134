import { shapeOf } from "../../bench/roofline/shapes.js";
import type { Json } from "../../src/model/checkpoint/checkpoint.js";
import type { WeightFormat } from "../../src/model/checkpoint/weight_formats.js";
import type { Core } from "../../src/model/core.js";
import type { GenerateOptions } from "../../src/model/decode/options.js";
import { batchPlan } from "../../src/model/encode/prepared_batch.js";
import type { GraphModel } from "../../src/model/graph/architecture.js";
import { planModel } from "../../src/model/memory_plan.js";
import { samplePlans } from "../../src/model/plans.js";
import { logMelSpectrum } from "../../src/model/speech/log_mel.js";
import type { Gpu } from "../../src/runtime/gpu.js";
import type { Dims, Kernel } from "../../src/runtime/kernel.js";
import type { Plan } from "../../src/runtime/plan.js";
import { MODELS, type RealModel } from "./models.js";

/** A launch of a model. */
export interface RealLaunch {
  readonly kernel: Kernel;
  readonly dims: Dims;
  /** Its place, such as `gpt2 int4 step N=4: decoder.layers.0.fc1`. */
  readonly from: string;
}

const GPU = { adapter: "gpu", software: false, weightLimit: Infinity } as const;
const ROW = { N: 128, B: 4, T: 0, X: 0, features: false };

/** The config of the same model with one layer: the launches of the others are the same. */
const oneLayer = (config: Json): Json =>
  Object.fromEntries(
    Object.entries({
      num_hidden_layers: 1,
      encoder_layers: 1,
      decoder_layers: 1,
      n_layer: 1,
      num_layers: 1,
      ...config,
    }).map(([name, value]) => [name, /(^|_)layers?$/.test(name) ? 1 : value]),
  );

/** Plans of a model in one format of weights, each with what is said of it. */
async function plansOf(
  { config, rows, prompt, calls = [] }: RealModel,
  dtype: WeightFormat,
): Promise<Map<string, Plan>> {
  const shape = await shapeOf("model", oneLayer(config));
  const planned = (options: GenerateOptions) => planModel(shape, { dtype, options, input_length: prompt }, GPU);
  const { model } = await planned({});
  const found = new Map<string, Plan>();
  for (const N of rows) for (const { plan } of samplePlans(model as Core, N)) found.set(`${plan.name} N=${N}`, plan);
  for (const options of calls)
    for (const plan of (await planned(options)).plans) found.set(`${plan.name} ${JSON.stringify(options)}`, plan);
  for (const [name, plan] of await otherPlans(model)) found.set(name, plan);
  return found;
}

/** Of an encoder of texts: vectors and attentions. Of one of spectra: the spectrum. */
async function otherPlans(model: GraphModel): Promise<[string, Plan][]> {
  const { encoder, decoder } = model.architecture;
  if (encoder?.stem?.input === "input_features") {
    const plans: Plan[] = [];
    await logMelSpectrum({ gpu: listener(plans) }, WHISPER, new Float32Array(20 * WHISPER.sampling_rate));
    return plans.map((plan) => [plan.name, plan]);
  }
  if (!encoder || decoder) return [];
  const wanted = { embedding: { mode: "mean", normalize: true }, attentions: true } as const;
  return [["embedding", (await batchPlan(model, { ...ROW, T: 32 }, wanted)).plan]];
}

const WHISPER = { sampling_rate: 16000, feature_size: 80, n_fft: 400, hop_length: 160, window: 3000 };

/** In place of a device: collects the plans that are prepared on it, and runs none. */
function listener(plans: Plan[]): Gpu {
  const nothing = (): void => {};
  const prepare = async (plan: Plan) => {
    plans.push(plan);
    return { run: async () => [], dispose: nothing };
  };
  return { prepare, write: nothing, copy: async () => {}, memory: { free: nothing } } as unknown as Gpu;
}

/** Launches of real models, those with the same kernel and sizes once. */
export async function realLaunches(): Promise<RealLaunch[]> {
  const found = new Map<string, RealLaunch>();
  const add = (from: string, { launches }: Plan): void => {
    for (const { kernel, dims, label } of launches) {
      const key = `${kernel.name} ${JSON.stringify(dims)}`;
      if (!found.has(key)) found.set(key, { kernel, dims, from: `${from}: ${label}` });
    }
  };
  for (const [name, model] of Object.entries(MODELS))
    for (const format of model.formats)
      for (const [plan, recorded] of await plansOf(model, format)) add(`${name} ${format} ${plan}`, recorded);
  return [...found.values()];
}
