import type { Run } from "../runtime/plan.js";
import type { Tensor } from "../runtime/tensor.js";
import type { Architecture } from "./architecture.js";
import { layers } from "./layers.js";
import type { Weights } from "./weights.js";

/**
 * The encoder of a transformer (Vaswani et al. 2017, section 3.1), norms after each block, over packed rows: no row is padding.
 * Shapes: rows u32[N,4], spans u32[B,2], result f32[N,D], written to `out` when given. Launches: 1 + 7 a layer.
 */
export function encoder(run: Run, a: Architecture, w: Weights, rows: Tensor, spans: Tensor, out?: Tensor): Tensor {
  const { embed, linear, norm, attend } = layers(run, a, w);
  const { D, activation, encoder: { H, layers: L } } = a;
  let h = embed("encoder", rows);
  for (let l = 0; l < L; l++) {
    const at = `encoder.layers.${l}`;
    const qkv = linear(`${at}.self_attn.qkv`, h);
    const context = attend(`${at}.self_attn`, H, qkv, { kv: qkv, spans, k_at: D, v_at: 2 * D }, rows, false);
    h = norm(`${at}.self_attn_norm`, linear(`${at}.self_attn.out`, context, { residual: h }));
    const wide = linear(`${at}.fc1`, h, { activation });
    h = norm(`${at}.final_norm`, linear(`${at}.fc2`, wide, { residual: h }), l === L - 1 ? out : undefined);
  }
  return h;
}
