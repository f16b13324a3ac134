import type { Run } from "../runtime/plan.js";
import type { Tensor } from "../runtime/tensor.js";
import type { Architecture, Stack } from "./architecture.js";
import { layers } from "./layers.js";
import type { Weights } from "./weights.js";

/**
 * The encoder of a transformer (Vaswani et al. 2017, section 3.1) over packed rows: no row is padding.
 * Shapes: rows u32[N,4], spans u32[B,2], result f32[N,D], written to `out` when given. Launches: 1 + 7 a layer.
 */
export function encoder(run: Run, a: Architecture, w: Weights, rows: Tensor, spans: Tensor, out?: Tensor): Tensor {
  const { embed, linear, attend, block, feedForward } = layers(run, a, w);
  const stack = a.encoder as Stack;
  const { H, K, E, layers: L } = stack;
  let h = embed("encoder", rows);
  for (let l = 0; l < L; l++) {
    const at = `encoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, h, (x, residual) => {
      const qkv = linear(`${at}.self_attn.qkv`, x);
      const context = attend(
        `${at}.self_attn`,
        stack,
        qkv,
        { kv: qkv, spans, k_at: H * E, v_at: (H + K) * E },
        rows,
        false,
      );
      return linear(`${at}.self_attn.out`, context, { residual });
    });
    h = block(`${at}.final_norm`, h, (x, residual) => feedForward(at, x, residual), l === L - 1 ? out : undefined);
  }
  return h;
}
