import { checkOptions, objectWith, oneOf, SIGNAL, wholeNumber } from "../runtime/checks.js";
import { type DeviceError, OptionError } from "../runtime/errors.js";
import type { Gpu } from "../runtime/gpu.js";
import { bytesOf, countNeeds } from "../runtime/needs.js";
import type { AdapterClass } from "../runtime/device_class.js";
import type { Plan } from "../runtime/plan.js";
import { type DType, elements, type Tensor } from "../runtime/tensor.js";
import { type Checkpoint, type CheckpointLike, openCheckpoint, type OpenOptions } from "./checkpoint/checkpoint.js";
import { storedNames } from "./checkpoint/rows.js";
import type { Entry } from "./checkpoint/safetensors.js";
import { shareTied } from "./checkpoint/ties.js";
import { LOGITS_FORMATS, type LogitsFormat, WEIGHT_FORMATS, type WeightFormat } from "./checkpoint/weight_formats.js";
import { planWeights } from "./checkpoint/weights.js";
import type { GenerateOptions } from "./decode/options.js";
import { ownOutputs } from "./encode/outputs.js";
import { batchPlan } from "./encode/prepared_batch.js";
import { describeCheckpoint } from "./families/index.js";
import { HUB_OPTIONS } from "./load_options.js";
import {
  CACHE_FORMATS,
  type CacheFormat,
  choicesFor,
  withCache,
  type DecoderArchitecture,
  type GraphModel,
  type Stack,
} from "./graph/architecture.js";

/** What is to be loaded, and the call for which memory is planned. */
export interface MemoryPlanOptions extends OpenOptions {
  /** Storage of the weight matrices, as in `load`. Default "auto". */
  readonly dtype?: WeightFormat;
  /** Storage of the matrix that makes logits, as in `load`. */
  readonly lm_head_dtype?: LogitsFormat;
  /** How keys and values of the past are stored, as in `load`. Default "f32". */
  readonly cache?: CacheFormat;
  /** The device on which it must fit. Without one the plan is that of a GPU, and nothing is compared. */
  readonly gpu?: Gpu;
  /** How many inputs are run together. Default 1. */
  readonly rows?: number;
  /** Tokens of each input: of the text, prompt or source; of speech, rows of the encoder. Default 64, or as many as the model takes. */
  readonly input_length?: number;
  /** Tokens that are generated for each input, where the model generates. Default 20, or as the checkpoint says. */
  readonly max_new_tokens?: number;
  /** Beams of each input, where the model generates. Default as the checkpoint says, else 1. */
  readonly num_beams?: number;
}

/** Bytes that a model needs. */
export interface MemoryPlan {
  /** The `model_type` of the checkpoint. */
  readonly family: string;
  /** How many numbers its weights are. */
  readonly parameters: number;
  /** Bytes of the tensors that are read to load it. */
  readonly download: number;
  /** Bytes of the weights on the device, in all and by storage format. */
  readonly weights: { readonly total: number } & Readonly<Partial<Record<DType, number>>>;
  /** Of a model with a decoder: bytes of keys and values, for a token of a row (a beam, a sample) and for one of a source. */
  readonly cache?: { readonly token: number; readonly source_token?: number };
  /** Bytes that the call holds: inputs, caches and results; what layers compute on the way; parameters of launches. */
  readonly call: { readonly state: number; readonly activation: number; readonly uniforms: number };
  /** Bytes of the weights and of the call. */
  readonly total: number;
  /** What the device does not allow, each with the cure; empty where it fits. */
  readonly faults: readonly string[];
}

const OPTIONS = {
  ...HUB_OPTIONS,
  dtype: oneOf(...WEIGHT_FORMATS),
  lm_head_dtype: oneOf(...LOGITS_FORMATS),
  cache: oneOf(...CACHE_FORMATS),
  gpu: objectWith("what gpu() gives", "prepare", "dispose"),
  rows: wholeNumber(1),
  input_length: wholeNumber(1),
  max_new_tokens: wholeNumber(1),
  num_beams: wholeNumber(1),
  signal: SIGNAL,
};

/** What the public `memoryPlan` does. */
export async function memoryPlan(source: CheckpointLike, options: MemoryPlanOptions): Promise<MemoryPlan> {
  checkOptions("memoryPlan", options, OPTIONS);
  const { dtype, lm_head_dtype, cache, gpu, signal, rows, input_length, max_new_tokens, num_beams } = options;
  const opened = await openCheckpoint(source, options);
  const given = Object.entries({ max_new_tokens, num_beams }).filter(([, value]) => value !== undefined);
  const call = { dtype, lm_head_dtype, cache, rows, input_length, options: Object.fromEntries(given) };
  const { model, stored, plans } = await planModel(opened, call, gpu ? placeOf(gpu) : GPU, signal);
  const { architecture, weights } = model;
  const needs = countNeeds(plans);
  const { state, activation, uniforms } = needs;
  const total = bytesOf(weights.tensors);
  return {
    family: architecture.family,
    parameters: stored.reduce((sum, entry) => sum + elements(entry), 0),
    download: stored.reduce((sum, { start, end }) => sum + end - start, 0),
    weights: { total, ...byFormat(weights.tensors) },
    ...(architecture.decoder && { cache: cacheBytes({ ...architecture, decoder: architecture.decoder }) }),
    call: { state, activation, uniforms },
    total: total + state + activation + uniforms,
    faults: gpu ? faultsOf(gpu, [...weights.tensors, ...needs.states], needs.largestArena) : [],
  };
}

/** A call on a model by its sizes. */
export interface ModelCall extends Pick<
  MemoryPlanOptions,
  "dtype" | "lm_head_dtype" | "cache" | "rows" | "input_length"
> {
  /** Options of `generate()`; there must be none where the model writes no text. */
  readonly options: GenerateOptions;
}

/** What the plans of a model depend on of the device where it will be. */
export interface Place {
  readonly adapter: AdapterClass;
  /** Bytes above which a weight is split by rows. */
  readonly weightLimit: number;
}

const GPU: Place = { adapter: "gpu", weightLimit: Infinity };
const placeOf = ({ class: { adapter }, memory: { weightLimit } }: Gpu): Place => ({ adapter, weightLimit });

/** A model whose weights are nowhere yet, the tensors that it is stored in, and the plans that a call of it runs. */
export interface PlannedModel {
  readonly model: GraphModel;
  readonly stored: readonly Entry[];
  readonly plans: readonly Plan[];
}

/** Records the plans of a call from the headers of a checkpoint alone. Throws as `load` and the call do. */
export async function planModel(
  opened: Checkpoint,
  call: ModelCall,
  place: Place,
  signal?: AbortSignal,
): Promise<PlannedModel> {
  const { family, checkpoint: described, architecture: stated } = await describeCheckpoint(opened);
  const checkpoint = await shareTied(described, family.ties?.(described.config) ?? [], { signal }, true);
  const architecture = withCache("memoryPlan", { ...stated, ...choicesFor(place.adapter) }, call.cache);
  const rows = family.rows(architecture, checkpoint.config, checkpoint.entries);
  const how = { format: call.dtype ?? "auto", logits: call.lm_head_dtype, ignored: family.ignored ?? [] } as const;
  const { weights } = planWeights(checkpoint, rows, how, place.weightLimit);
  const stored = Array.from(new Set(rows.flatMap(storedNames)), (name) => checkpoint.entries.get(name) as Entry);
  const model = { architecture, weights };
  return { model, stored, plans: await plansOf(model, checkpoint, call, place) };
}

/** The plans of the call: of `generate()`, or of `forward()` where nothing is generated. */
async function plansOf(
  { architecture, weights }: GraphModel,
  checkpoint: Checkpoint,
  { rows = 1, input_length, options }: ModelCall,
  { adapter }: Place,
): Promise<Plan[]> {
  const { encoder, decoder, head } = architecture;
  const { P, stem } = (encoder ?? decoder) as Stack;
  const length = input_length ?? (stem ? P : Math.min(64, Math.ceil(P / 2)));
  if (length > P) throw new OptionError(`memoryPlan: input_length must be at most ${P}, got ${length}`);
  if (!decoder || head) {
    const [given] = Object.keys(options);
    if (given) throw new OptionError(`memoryPlan: ${given} must be absent, this ${architecture.family} writes no text`);
    const size = { N: rows * length, B: rows, T: decoder ? length : 0, X: 0, features: stem !== undefined };
    return [(await batchPlan({ architecture, weights }, size, ownOutputs(architecture))).plan];
  }
  const [{ callPlans }, { readDefaults }] = await Promise.all([
    import("./decode/call_plans.js"),
    import("./decode/defaults.js"),
  ]);
  const defaults = readDefaults(checkpoint, architecture.V, decoder.P);
  const sizes = { rows, length, options, adapter };
  return callPlans({ architecture: { ...architecture, decoder }, weights }, defaults, sizes);
}

/** Bytes of tensors by their formats. */
function byFormat(tensors: Iterable<Tensor>): Partial<Record<DType, number>> {
  const bytes: Partial<Record<DType, number>> = {};
  for (const t of tensors) bytes[t.dtype] = (bytes[t.dtype] ?? 0) + bytesOf([t]);
  return bytes;
}

/** Bytes of the keys and values of a token, in all layers of the decoder. */
function cacheBytes({ encoder, cacheFormat, decoder: { depth, K, E } }: DecoderArchitecture): MemoryPlan["cache"] {
  const numbers = depth * 2 * K * E;
  return { token: (cacheFormat === "f16" ? 2 : 4) * numbers, ...(encoder && { source_token: 4 * numbers }) };
}

/** What the device says of tensors and buffers that are too large for it. */
function faultsOf({ memory }: Gpu, tensors: readonly Tensor[], largestArena: number): string[] {
  const checks = [...tensors.map((t) => () => memory.check(t)), () => memory.checkSize("a plan", largestArena)];
  return checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      return [(error as DeviceError).message];
    }
  });
}
