import { pooling } from "../../kernels/index.js";
import { POOLING, type Pooling } from "../../kernels/pooling.js";
import type { Run } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { Architecture } from "./architecture.js";
import { layers } from "./layers.js";
import type { Weights } from "../checkpoint/weights.js";

/** A sentence's states as one vector: f32[N,D] to f32[B,D] (Reimers and Gurevych 2019, section 3). */
export function sentenceVectors(
  run: Run,
  hidden: Tensor,
  spans: Tensor,
  mode: Pooling,
  normalize: boolean,
  out: Tensor,
): void {
  run(pooling, "pooling", { x: hidden, spans, out }, { MODE: POOLING[mode], NORMALIZE: Number(normalize) });
}

/** The head of an encoder: `pooled` f32[B,D] and `logits` f32[N,labels] or f32[B,labels], whichever are given. */
export function head(
  run: Run,
  a: Architecture,
  w: Weights,
  hidden: Tensor,
  spans: Tensor,
  { pooled, logits }: { readonly pooled?: Tensor; readonly logits?: Tensor },
): void {
  const { linear } = layers(run, a, w);
  if (a.head?.classifier === "tokens") {
    if (logits) linear("classifier", hidden, { y: logits });
    return;
  }
  const first = run(pooling, "pooler.first", { x: hidden, spans }, { MODE: POOLING.cls, NORMALIZE: 0 }).out;
  const dense = linear("pooler", first, { activation: a.head?.pooler, y: pooled });
  if (logits) linear("classifier", dense, { y: logits });
}
