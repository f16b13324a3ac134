import { attentionWeights } from "../../kernels/index.js";
import type { Run } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { Architecture, Stack } from "./architecture.js";
import { layers } from "./layers.js";
import type { Weights } from "../checkpoint/weights.js";

/** Tensors of the caller's for what an encoder makes on its way. */
export interface Observed {
  /** After the embeddings and after each layer: f32[N,D] each; absent ones are not kept. */
  readonly states?: readonly (Tensor | undefined)[];
  /** Of each layer: f32[N,H,T], T at least the longest sentence. One launch more a layer. */
  readonly attentions?: readonly Tensor[];
}

/**
 * The encoder of a transformer (Vaswani et al. 2017, section 3.1; Devlin et al. 2019, section 3) over packed rows: no row is padding.
 * Shapes: rows u32[N,4], spans u32[B,2], result f32[N,D], which is the last of `states` when given. Launches: 1 + 7 a layer.
 */
export function encoder(
  run: Run,
  a: Architecture,
  w: Weights,
  rows: Tensor,
  spans: Tensor,
  { states = [], attentions }: Observed = {},
): Tensor {
  const { embed, linear, attend, block, feedForward } = layers(run, a, w);
  const stack = a.encoder as Stack;
  const { H, K, E, layers: L } = stack;
  let h = embed("encoder", rows, states[0]);
  for (let l = 0; l < L; l++) {
    const at = `encoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, h, (x, residual) => {
      const qkv = linear(`${at}.self_attn.qkv`, x);
      const keys = { kv: qkv, spans, k_at: H * E, v_at: (H + K) * E };
      const context = attend(`${at}.self_attn`, stack, qkv, keys, rows, false);
      if (attentions) look(run, `${at}.self_attn.weights`, stack, qkv, spans, rows, attentions[l]);
      return linear(`${at}.self_attn.out`, context, { residual });
    });
    h = block(`${at}.final_norm`, h, (x, residual) => feedForward(at, x, residual), states[l + 1]);
  }
  return h;
}

function look(
  run: Run,
  name: string,
  { H, K, E }: Stack,
  qkv: Tensor,
  spans: Tensor,
  rows: Tensor,
  weights: Tensor,
): void {
  const values = { H, K, E, T: weights.shape[2], k_at: H * E, scale: E ** -0.5 };
  run(attentionWeights, name, { rows, spans, q: qkv, kv: qkv, weights }, values);
}
