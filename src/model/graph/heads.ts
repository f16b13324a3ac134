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

/** Where the head of a model writes its results. */
export interface HeadOutputs {
  /** f32[B,D]. */
  readonly pooled?: Tensor;
  /** f32[N,labels] or f32[B,labels]. */
  readonly logits?: Tensor;
  /** f32[B,V], a row for each masked token. */
  readonly maskLogits?: Tensor;
}

/**
 * The head of a model. It writes those results that are given. `spans` are the rows that stand for B sentences, or for
 * `maskLogits` the rows of B masked tokens.
 */
export function head(
  run: Run,
  model: GraphModel,
  hidden: Tensor,
  spans: Tensor,
  { pooled, logits, maskLogits }: HeadOutputs,
): void {
  const { linear, norm } = layers(run, model, model.architecture.decoder ? "decoder" : "encoder");
  const kind = model.architecture.head;
  if (logits && kind?.classifier !== "sentence") linear("classifier", hidden, { y: logits });
  const rowsOf = (mode: Pooling): Tensor =>
    run(pooling, `${mode}.rows`, { x: hidden, spans }, { MODE: POOLING[mode], NORMALIZE: 0 }).out;
  if (maskLogits) {
    const dense = linear("masks.dense", rowsOf("cls"), { activation: kind?.masks });
    linear("lm_head", norm("masks.norm", dense), { y: maskLogits });
  }
  if (!pooled && !(logits && kind?.classifier === "sentence")) return;
  const first = rowsOf(kind?.last ? "lasttoken" : "cls");
  const dense = kind?.pooler ? linear("pooler", first, { activation: kind.pooler, y: pooled }) : first;
  if (logits && kind?.classifier === "sentence") linear("classifier", dense, { y: logits });
}
