import { type Plan, record } from "../../runtime/plan.js";
import { prefix, type Tensor, tensor } from "../../runtime/tensor.js";
import { type CacheFormat, type DecoderArchitecture, type DecoderModel, memoryWidth } from "../graph/architecture.js";
import { type CrossKeys, decoderPrompt, type PastKeys, sourceKeys } from "../graph/decoder.js";
import { encodeSource } from "../graph/encoder.js";
import type { PackedInputs } from "../inputs.js";

/**
 * Sizes of a cache: B prompts (and sources) of n sentences each, W beams a sentence; M slots a row; S packed rows of
 * sources.
 */
export interface Capacity {
  readonly B: number;
  readonly n: number;
  readonly W: number;
  readonly M: number;
  readonly S: number;
  /** Rows of the prompts that are vectors. Default 0. */
  readonly vectors?: number;
}

/** Most rows of a prompt plan, which bounds the memory of its activations. */
export const CHUNK = 2048;

/** The tensors of a cache, and those that its plans read. */
export interface CacheTensors {
  readonly rows: Tensor;
  readonly indirection: Tensor;
  readonly past: PastKeys;
  readonly cross: CrossKeys | undefined;
  /** f32[N,D]: what ids from V on stand for. */
  readonly vectors: Tensor | undefined;
  /** `vectors` are features or states. */
  readonly source: { readonly rows: Tensor; readonly spans: Tensor; readonly vectors: Tensor };
  readonly prompt: { readonly rows: Tensor; readonly spans: Tensor };
  readonly all: readonly Tensor[];
}

/** The tensors of a cache. Only those that are used get memory. */
export function cacheTensors(architecture: DecoderArchitecture, { B, n, W, M, S, vectors }: Capacity): CacheTensors {
  const { depth, K, E, rotary } = architecture.decoder;
  const R = B * n * W;
  const all: Tensor[] = [];
  const make = (name: string, dtype: "f32" | "f16" | "u32", shape: number[]): Tensor => {
    const made = tensor(name, dtype, shape);
    all.push(made);
    return made;
  };
  const perLayer = (name: string, shape: number[], format: CacheFormat = "f32"): Tensor[] =>
    Array.from({ length: depth }, (_, l) => make(`decoder.layers.${l}.${name}`, format, shape));
  const past = {
    caches: perLayer("cache", [R, M, 2 * K * E], architecture.cacheFormat),
    rotary: rotary && make("rotary", "f32", [M, E]),
  };
  return {
    rows: make("rows", "u32", [R, 4]),
    indirection: make("indirection", "u32", [2, R, M]),
    past,
    cross: architecture.encoder && {
      kv: perLayer("source_keys", [S, 2 * K * E]),
      spans: make("cross_spans", "u32", [B * n, 2]),
    },
    vectors: vectors ? make("vectors", "f32", [vectors, architecture.D]) : undefined,
    source: {
      rows: make("source_rows", "u32", [S, 4]),
      spans: make("source_spans", "u32", [B, 2]),
      vectors: make("source_vectors", "f32", [S, Math.max(architecture.D, memoryWidth(architecture))]),
    },
    prompt: { rows: make("prompt_rows", "u32", [CHUNK, 4]), spans: make("prompt_spans", "u32", [B, 2]) },
    all,
  };
}

/** The encoder over packed sources, unless they are its output, followed by the keys and values for each decoder layer. */
export function encodePlan(
  model: DecoderModel,
  { source, cross }: CacheTensors,
  { rows, kind, width }: PackedInputs,
): Plan {
  const N = rows.length / 4;
  return record("encode", (run) => {
    const encoded = encodeSource(run, model, {
      rows: prefix(source.rows, [N, 4]),
      spans: source.spans,
      ...(kind !== "ids" && { [kind === "states" ? kind : "features"]: prefix(source.vectors, [N, width]) }),
    });
    sourceKeys(
      run,
      model,
      encoded,
      cross?.kv.map((kv) => prefix(kv, [N, kv.shape[1]])),
    );
  });
}

/** The decoder over N packed rows of prompts. */
export function promptPlan(
  model: DecoderModel,
  { past, cross, source, prompt, vectors }: CacheTensors,
  N: number,
  rowsPerPrompt: number,
): Plan {
  return record("prompt", (run) => {
    decoderPrompt(run, model, {
      rows: prefix(prompt.rows, [N, 4]),
      past,
      spans: prompt.spans,
      rowsPerPrompt,
      cross: cross && { kv: cross.kv, spans: source.spans },
      vectors,
    });
  });
}
