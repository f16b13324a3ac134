import { attentionStep, rope } from "../../kernels/index.js";
import type { Run } from "../../runtime/plan.js";
import { prefix, type Tensor } from "../../runtime/tensor.js";
import type { DecoderArchitecture } from "./architecture.js";
import { layers } from "./layers.js";
import type { Weights } from "../checkpoint/weights.js";

/** Keys and values of the source for every decoder layer, once a source whatever its beams: f32[N,2*K*E] each, into `kv` when given. */
export function sourceKeys(
  run: Run,
  a: DecoderArchitecture,
  w: Weights,
  encoded: Tensor,
  kv?: readonly Tensor[],
): Tensor[] {
  const { linear } = layers(run, a, w);
  return Array.from({ length: a.decoder.layers }, (_, l) =>
    linear(`decoder.layers.${l}.cross_attn.kv`, encoded, { y: kv?.[l] }),
  );
}

/** The encoder's side of a decoder: its keys and values a layer, and which rows of them belong to which sentence. */
export interface CrossKeys {
  readonly kv: readonly Tensor[];
  readonly spans: Tensor;
}

/** What a decoder remembers: a cache a layer, f32[R,M,2*K*E], and the rotation of every position, f32[M,E]. */
export interface DecoderCache {
  readonly caches: readonly Tensor[];
  readonly rotary?: Tensor;
}

/** One new token a row: rows u32[R,4] to logits f32[R,V]. Launches: 1 + 11 a layer + 1 with cross attention, else 1 + 7 a layer + 2. */
export function decoderStep(
  run: Run,
  a: DecoderArchitecture,
  w: Weights,
  rows: Tensor,
  { caches, rotary }: DecoderCache,
  indirection: Tensor,
  cross?: CrossKeys,
  logits?: Tensor,
): Tensor {
  const { H, K, E } = a.decoder;
  const attendPast = (l: number, name: string, qkv: Tensor): Tensor => {
    const args = { rows, qkv, indirection, positional: rotary, qk_norm: w.find(`${name}.qk_norm`), cache: caches[l] };
    return run(attentionStep, name, args, { H, K, E, scale: E ** -0.5, eps: a.eps }).out;
  };
  return lmHead(run, a, w, decoder(run, a, w, rows, attendPast, cross), logits);
}

/**
 * All tokens of all targets at once, each seeing those before it and what the caches already hold: rows u32[N,4], spans of the
 * cache u32[B,2] = (first slot, tokens), to the last hidden states f32[N,D]. Sentence b writes to cache row b*W.
 */
export function decoderPrompt(
  run: Run,
  a: DecoderArchitecture,
  w: Weights,
  rows: Tensor,
  { caches, rotary }: DecoderCache,
  spans: Tensor,
  W: number,
  cross?: CrossKeys,
): Tensor {
  const { attend } = layers(run, a, w);
  const { H, K, E } = a.decoder;
  const attendPrompt = (l: number, name: string, projected: Tensor): Tensor => {
    const args = { rows, rotary, qk_norm: w.find(`${name}.qk_norm`), qkv: projected, cache: caches[l] };
    const { qkv, cache } = run(rope, `${name}.rope`, args, { H, K, E, W, eps: a.eps });
    const [R, M, width] = cache.shape;
    return attend(name, a.decoder, qkv, { kv: prefix(cache, [R * M, width]), spans, k_at: 0, v_at: K * E }, rows, true);
  };
  return decoder(run, a, w, rows, attendPrompt, cross);
}

/** Logits f32[N,V] of hidden states f32[N,D]. */
export function lmHead(run: Run, a: DecoderArchitecture, w: Weights, hidden: Tensor, logits?: Tensor): Tensor {
  return layers(run, a, w).linear("lm_head", hidden, { y: logits });
}

type SelfAttention = (layer: number, name: string, qkv: Tensor) => Tensor;

/** The decoder of a transformer (Vaswani et al. 2017, section 3.1; without cross attention, Radford et al. 2019, section 2.3). */
function decoder(
  run: Run,
  a: DecoderArchitecture,
  w: Weights,
  rows: Tensor,
  selfAttend: SelfAttention,
  cross?: CrossKeys,
): Tensor {
  const { embed, linear, norm, attend, block, feedForward } = layers(run, a, w);
  const { K, E } = a.decoder;
  let h = embed("decoder", rows);
  for (let l = 0; l < a.decoder.layers; l++) {
    const at = `decoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, h, (x, residual) => {
      const context = selfAttend(l, `${at}.self_attn`, linear(`${at}.self_attn.qkv`, x));
      return linear(`${at}.self_attn.out`, context, { residual });
    });
    if (cross) {
      h = block(`${at}.cross_attn_norm`, h, (x, residual) => {
        const source = { kv: cross.kv[l], spans: cross.spans, k_at: 0, v_at: K * E };
        const context = attend(`${at}.cross_attn`, a.decoder, linear(`${at}.cross_attn.q`, x), source, rows, false);
        return linear(`${at}.cross_attn.out`, context, { residual });
      });
    }
    h = block(`${at}.final_norm`, h, (x, residual) => feedForward(at, x, residual));
  }
  return a.placement === "pre" ? norm("decoder.norm", h) : h;
}
