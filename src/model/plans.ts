import { PROMPT_ROW, ROW_FIELDS, TABLES } from "../kernels/search_state.js";
import { type Plan, record, type Run } from "../runtime/plan.js";
import { f32ToF16 } from "../runtime/half.js";
import { type DType, elements, type Tensor, tensor, type TypedArray } from "../runtime/tensor.js";
import type { Core, DecoderCore } from "./core.js";
import { decoderPrompt, decoderStep, type PastKeys, sourceKeys } from "./graph/decoder.js";
import { type CacheFormat, memoryWidth, type Stack, type Stem } from "./graph/architecture.js";
import { encoder } from "./graph/encoder.js";
import { rotaryTable } from "./graph/positions.js";
import { leastFrames, packStem, stem } from "./graph/stem.js";
import { packRows, packSpans } from "./inputs.js";

/** A plan such as a call on the model records it, with inputs of its own. */
export interface SamplePlan {
  /** The plan. */
  readonly plan: Plan;
  /**
   * Writes the inputs: tokens from the whole vocabulary and, where a past is read, keys and values between -1 and 1.
   */
  write(): void;
  /** Frees the inputs and caches, but not the weights. */
  dispose(): void;
}

const LENGTH = 64; // most tokens of a sentence or a source, and slots of a cache

/**
 * The plans that a model runs, each over `rows` packed rows: the encoder (with the keys and values for the decoder, if
 * there is one), after the stem of a speech model, the decoder over prompts, and one step of the decoder. Nothing is
 * written to the device before `write()`.
 */
export function samplePlans(core: Core, rows: number): SamplePlan[] {
  const { encoder: source, decoder: target, head } = core.architecture;
  const decoding = core as DecoderCore;
  return [
    ...(source?.stem ? [stemPlan(core, source.stem, rows)] : []),
    ...(source ? [encoderPlan(core, rows)] : []),
    ...(target ? [promptPlan(decoding, rows), ...(head ? [] : [stepPlan(decoding, rows)])] : []),
  ];
}

/** Declares a tensor that the plan reads, and the values to write to it. */
type Input = (name: string, dtype: DType, shape: readonly number[], values: () => TypedArray) => Tensor;

function samplePlan({ gpu }: Core, name: string, build: (run: Run, input: Input) => void): SamplePlan {
  const inputs = new Map<Tensor, () => TypedArray>();
  const input: Input = (label, dtype, shape, values) => {
    const t = tensor(label, dtype, shape);
    inputs.set(t, values);
    return t;
  };
  const plan = record(name, (run) => build(run, input));
  return {
    plan,
    write: () => inputs.forEach((values, t) => gpu.write(t, values())),
    dispose: () => gpu.memory.free(inputs.keys()),
  };
}

function stemPlan(core: Core, front: Stem, N: number): SamplePlan {
  const { D, encoder: source } = core.architecture;
  const frames = sentences(N, (source as Stack).P, 1).map(({ length }) => leastFrames(front.convolutions, length));
  const packed = packStem(front, frames);
  const S = frames.reduce((sum, count) => sum + count, 0);
  return samplePlan(core, "stem", (run, input) => {
    const put = (name: string, width: number, data: Uint32Array<ArrayBuffer>): Tensor =>
      input(name, "u32", [data.length / width, width], () => data);
    const levels = packed.levels.map(({ rows, spans }, i) => ({
      rows: put(`rows.${i}`, 4, rows),
      spans: put(`spans.${i}`, 2, spans),
    }));
    const signal = inputWaves(input, "signal", [S, front.C]);
    stem(run, core, { signal, spans: put("spans", 2, packed.spans), levels }, inputWaves(input, "features", [N, D]));
  });
}

function encoderPlan(core: Core, N: number): SamplePlan {
  const { architecture } = core;
  const { P, V = architecture.V, stem: front } = architecture.encoder as Stack;
  const ids = sentences(N, P, front ? N : V);
  return samplePlan(core, "encoder", (run, input) => {
    const rows = input("rows", "u32", [N, 4], () => packRows(ids));
    const spans = input("spans", "u32", [ids.length, 2], () => packSpans(ids));
    const features = front && inputWaves(input, "features", [N, architecture.D]);
    const encoded = encoder(run, core, { rows, spans, features });
    if (architecture.decoder && memoryWidth(architecture) === architecture.D)
      sourceKeys(run, core as DecoderCore, encoded);
  });
}

function promptPlan(core: DecoderCore, N: number): SamplePlan {
  const { architecture } = core;
  const { P } = architecture.decoder;
  const ids = sentences(N, P, architecture.V);
  const B = ids.length;
  return samplePlan(core, "prompt", (run, input) => {
    const rows = input("rows", "u32", [N, ROW_FIELDS], () =>
      packRows(ids).map((value, i) => (i % ROW_FIELDS === PROMPT_ROW.slot ? Math.floor(i / ROW_FIELDS) : value)),
    );
    const spans = input("spans", "u32", [B, 2], () => packSpans(ids));
    const slots = input("slots", "u32", [N], () => Uint32Array.from({ length: N }, (_, n) => n));
    const past = inputPast(input, core, N, Math.min(P, LENGTH));
    decoderPrompt(run, core, { rows, past, spans, slots, cross: inputSource(input, core, B) });
  });
}

/** The last step for which the caches have room: each row reads a past of M - 1 tokens. */
function stepPlan(core: DecoderCore, R: number): SamplePlan {
  const { architecture } = core;
  const M = Math.min(architecture.decoder.P, LENGTH);
  const positions = Array.from({ length: R }, () => M - 1);
  return samplePlan(core, "step", (run, input) => {
    const rows = input("rows", "u32", [R, ROW_FIELDS], () => packRows(sentences(R, 1, architecture.V), positions));
    const indirection = input("indirection", "u32", [R, TABLES, M], () =>
      Uint32Array.from({ length: R * TABLES * M }, (_, i) => Math.floor(i / (TABLES * M)) * M + (i % M)),
    );
    const past = inputPast(input, core, R * M, M);
    decoderStep(run, core, { rows, past, indirection, cross: inputSource(input, core, R) });
  });
}

/** N tokens from the whole vocabulary, in sentences as long as allowed. */
function sentences(N: number, P: number, V: number): number[][] {
  const longest = Math.min(P, LENGTH);
  return Array.from({ length: Math.ceil(N / longest) }, (_, b) =>
    Array.from({ length: Math.min(longest, N - b * longest) }, (_, t) => (7919 * (b * longest + t + 1)) % V),
  );
}

/** The past of rows of up to M tokens in Z slots. */
function inputPast(input: Input, { architecture }: DecoderCore, Z: number, M: number): PastKeys {
  const { depth, K, E, rotary } = architecture.decoder;
  return {
    caches: inputLayers(input, "cache", depth, [Z, 2 * K * E], architecture.cacheFormat),
    rotary: rotary && input("rotary", "f32", [M, E], () => rotaryTable(rotary, M, E)),
  };
}

/** Keys and values of B sources; undefined without an encoder. */
function inputSource(
  input: Input,
  { architecture }: DecoderCore,
  B: number,
): { kv: Tensor[]; spans: Tensor } | undefined {
  if (!architecture.encoder) return undefined;
  const { depth, K, E } = architecture.decoder;
  const S = Math.min(architecture.encoder.P, LENGTH);
  const spans = Uint32Array.from({ length: 2 * B }, (_, index) => (index % 2 ? S : (index / 2) * S));
  return {
    kv: inputLayers(input, "source_keys", depth, [B * S, 2 * K * E]),
    spans: input("cross_spans", "u32", [B, 2], () => spans),
  };
}

function inputLayers(
  input: Input,
  name: string,
  layers: number,
  shape: readonly number[],
  format?: CacheFormat,
): Tensor[] {
  return Array.from({ length: layers }, (_, l) =>
    inputWaves(input, `decoder.layers.${l}.${name}`, shape, l + 1, format),
  );
}

/** Numbers between -1 and 1. */
function inputWaves(
  input: Input,
  name: string,
  shape: readonly number[],
  step = 1,
  format: CacheFormat = "f32",
): Tensor {
  const waves = () => Float32Array.from({ length: elements({ shape }) }, (_, i) => Math.sin(i * step));
  return input(name, format, shape, () => (format === "f16" ? f32ToF16(waves()) : waves()));
}
