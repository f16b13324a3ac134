import { rope } from "../../kernels/rope.js";
import type { Run } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { GraphModel, Stack } from "./architecture.js";
import { layers } from "./layers.js";
import { ENCODER_ROTARY, interleaving } from "./positions.js";

/** A packed batch: the N rows of all sequences, without padding. */
export interface PackedInput {
  /** u32[N,4]: token id, position, sentence, segment. */
  readonly rows: Tensor;
  /** u32[B,2]: first row and number of rows of each sentence. */
  readonly spans: Tensor;
  /** f32[N,D], which replaces the token embeddings; token ids then are row numbers in it. */
  readonly features?: Tensor;
}

/** Packed sources of a decoder. */
export interface PackedSource extends PackedInput {
  /** The output of an encoder, f32[N,width], if that is what the sources are. */
  readonly states?: Tensor;
}

/** Where to write what an encoder computes on the way. */
export interface Observed {
  /** States f32[N,D] after the embeddings and after each layer; those left undefined are not kept. */
  readonly states?: readonly (Tensor | undefined)[];
  /** Attention weights f32[N,H,T] of each layer, T at least the longest sentence. They take one more launch a layer. */
  readonly attentions?: readonly Tensor[];
}

/**
 * The encoder of a transformer (Vaswani et al. 2017, section 3.1; Devlin et al. 2019, section 3), from packed rows to
 * the last states f32[N,D], which are the last of `states` if given: 1 + 7 launches a layer, or 8 with rotary
 * positions, and 1 more for a last norm.
 */
export function encoder(
  run: Run,
  model: GraphModel,
  { rows, spans, features }: PackedInput,
  { states = [], attentions }: Observed = {},
): Tensor {
  const { embed, linear, attend, block, feedForward, norm } = layers(run, model, "encoder");
  const { architecture, weights } = model;
  const { H, K, E, rotary, depth: L, lastNorm } = architecture.encoder as Stack;
  let h = embed(rows, { features, out: states[0] });
  for (let l = 0; l < L; l++) {
    const at = `encoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, `${at}.self_attn.out`, h, (x) => {
      const qkv = linear(`${at}.self_attn.qkv`, x);
      if (rotary) {
        const values = { H, K, E, eps: architecture.eps, INTERLEAVED: interleaving(rotary) };
        run(rope, `${at}.self_attn.rope`, { rows, rotary: weights.get(ENCODER_ROTARY), qkv }, values);
      }
      const keys = { kv: qkv, spans, k_at: H * E, v_at: (H + K) * E };
      return attend(`${at}.self_attn`, qkv, keys, rows, { observed: attentions && { weights: attentions[l] } });
    });
    h = feedForward(at, h, lastNorm && l === L - 1 ? undefined : states[l + 1]);
  }
  return lastNorm ? norm("encoder.norm", h, { out: states[L] }) : h;
}

/** The states that cross attention reads: those that are given, or else the encoder's. */
export const encodeSource = (run: Run, model: GraphModel, source: PackedSource, observed?: Observed): Tensor =>
  source.states ?? encoder(run, model, source, observed);
