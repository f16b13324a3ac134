import { attentionStep } from "../kernels/index.js";
import type { Run } from "../runtime/plan.js";
import type { Tensor } from "../runtime/tensor.js";
import type { Architecture } from "./architecture.js";
import { type Keys, layers } from "./layers.js";
import type { Weights } from "./weights.js";

/** Keys and values of the source for every decoder layer, once a source whatever its beams: f32[N,2*D] each, into `kv` when given. */
export function sourceKeys(run: Run, a: Architecture, w: Weights, encoded: Tensor, kv?: readonly Tensor[]): Tensor[] {
  const { linear } = layers(run, a, w);
  return Array.from({ length: a.decoder.layers }, (_, l) => linear(`decoder.layers.${l}.cross_attn.kv`, encoded, { y: kv?.[l] }));
}

/** What one step needs of the past: the source's keys, the own cache a layer, and which cache row holds which beam's past. */
export interface DecoderState {
  readonly rows: Tensor;
  readonly sourceKeys: readonly Tensor[];
  readonly spans: Tensor;
  readonly caches: readonly Tensor[];
  readonly indirection: Tensor;
}

/** One new token a row: rows u32[R,4] to logits f32[R,V]. Launches: 1 + 11 a layer + 1. */
export function decoderStep(run: Run, a: Architecture, w: Weights, state: DecoderState, logits?: Tensor): Tensor {
  const { rows, caches, indirection } = state;
  const { H } = a.decoder;
  const E = a.D / H;
  const past = (l: number, name: string, qkv: Tensor): Tensor =>
    run(attentionStep, name, { rows, qkv, indirection, cache: caches[l] }, { H, K: H, E, scale: E ** -0.5 }).out;
  return decoder(run, a, w, state, past, logits);
}

/** All tokens of all targets at once, each seeing those before it: rows u32[N,4], targets u32[B,2] to logits f32[N,V]. */
export function decoderPrompt(
  run: Run, a: Architecture, w: Weights, state: Omit<DecoderState, "caches" | "indirection">, targets: Tensor, logits?: Tensor,
): Tensor {
  const { attend } = layers(run, a, w);
  const past = (_: number, name: string, qkv: Tensor): Tensor =>
    attend(name, a.decoder.H, qkv, { kv: qkv, spans: targets, k_at: a.D, v_at: 2 * a.D }, state.rows, true);
  return decoder(run, a, w, state, past, logits);
}

type SelfAttention = (layer: number, name: string, qkv: Tensor) => Tensor;

/** The decoder of a transformer (Vaswani et al. 2017, section 3.1), norms after each block. */
function decoder(
  run: Run, a: Architecture, w: Weights, { rows, sourceKeys, spans }: Omit<DecoderState, "caches" | "indirection">,
  selfAttend: SelfAttention, logits?: Tensor,
): Tensor {
  const { embed, linear, norm, attend } = layers(run, a, w);
  const { D, activation, decoder: { H, layers: L } } = a;
  let h = embed("decoder", rows);
  for (let l = 0; l < L; l++) {
    const at = `decoder.layers.${l}`;
    const context = selfAttend(l, `${at}.self_attn`, linear(`${at}.self_attn.qkv`, h));
    h = norm(`${at}.self_attn_norm`, linear(`${at}.self_attn.out`, context, { residual: h }));
    const source: Keys = { kv: sourceKeys[l], spans, k_at: 0, v_at: D };
    const crossed = attend(`${at}.cross_attn`, H, linear(`${at}.cross_attn.q`, h), source, rows, false);
    h = norm(`${at}.cross_attn_norm`, linear(`${at}.cross_attn.out`, crossed, { residual: h }));
    const wide = linear(`${at}.fc1`, h, { activation });
    h = norm(`${at}.final_norm`, linear(`${at}.fc2`, wide, { residual: h }));
  }
  return linear("lm_head", h, { y: logits });
}
