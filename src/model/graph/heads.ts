import { POOLING, type Pooling, pooling } from "../../kernels/pooling.js";
import type { Run } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { GraphModel } from "./architecture.js";
import { layers } from "./layers.js";

/** How the states of a sentence become one vector. */
export interface PoolingChoice {
  readonly mode: Pooling;
  /** Whether to scale the vector to length 1. */
  readonly normalize: boolean;
}

/** Pools states f32[N,D] to a vector for each sentence, f32[B,D], in `out` (Reimers and Gurevych 2019, section 3). */
export function sentenceVectors(
  run: Run,
  hidden: Tensor,
  spans: Tensor,
  { mode, normalize }: PoolingChoice,
  out: Tensor,
): void {
  run(pooling, "pooling", { x: hidden, spans, out }, { MODE: POOLING[mode], NORMALIZE: Number(normalize) });
}

/**
 * The head of an encoder. It writes those of `pooled` f32[B,D] and `logits` f32[N,labels] or f32[B,labels] that are
 * given.
 */
export function head(
  run: Run,
  model: GraphModel,
  hidden: Tensor,
  spans: Tensor,
  { pooled, logits }: { readonly pooled?: Tensor; readonly logits?: Tensor },
): void {
  const { linear } = layers(run, model, "encoder");
  const kind = model.architecture.head;
  if (kind?.classifier === "tokens") {
    if (logits) linear("classifier", hidden, { y: logits });
    return;
  }
  const first = run(pooling, "pooler.first", { x: hidden, spans }, { MODE: POOLING.cls, NORMALIZE: 0 }).out;
  const dense = linear("pooler", first, { activation: kind?.pooler, y: pooled });
  if (logits) linear("classifier", dense, { y: logits });
}
