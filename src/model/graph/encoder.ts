import { attentionWeights } from "../../kernels/index.js";
import type { Run } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { GraphModel, Stack } from "./architecture.js";
import { layers } from "./layers.js";

/** A packed batch: N rows of all its sequences, none of them padding. */
export interface PackedInput {
  /** u32[N,4]: token id, position, sentence, segment. */
  readonly rows: Tensor;
  /** u32[B,2]: first row and number of rows of each sentence. */
  readonly spans: Tensor;
  /** f32[N,D] in place of token embeddings, where the caller has them; ids are then the numbers of these rows. */
  readonly features?: Tensor;
}

/** Tensors of the caller's for what an encoder makes on its way. */
export interface Observed {
  /** After the embeddings and after each layer: f32[N,D] each; absent ones are not kept. */
  readonly states?: readonly (Tensor | undefined)[];
  /** Of each layer: f32[N,H,T], T at least the longest sentence. One launch more a layer. */
  readonly attentions?: readonly Tensor[];
}

/**
 * The encoder of a transformer (Vaswani et al. 2017, section 3.1; Devlin et al. 2019, section 3): packed rows to states
 * f32[N,D], which is the last of `states` when given. Launches: 1 + 7 a layer, 1 more for a last norm.
 */
export function encoder(
  run: Run,
  model: GraphModel,
  { rows, spans, features }: PackedInput,
  { states = [], attentions }: Observed = {},
): Tensor {
  const { embed, linear, attend, block, feedForward, norm } = layers(run, model, "encoder");
  const { H, K, E, scale, depth: L, lastNorm } = model.architecture.encoder as Stack;
  let h = embed(rows, { features, out: states[0] });
  for (let l = 0; l < L; l++) {
    const at = `encoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, `${at}.self_attn.out`, h, (x) => {
      const qkv = linear(`${at}.self_attn.qkv`, x);
      if (attentions) {
        const args = { rows, spans, q: qkv, kv: qkv, weights: attentions[l] };
        run(attentionWeights, `${at}.self_attn.weights`, args, {
          H,
          K,
          E,
          T: attentions[l].shape[2],
          k_at: H * E,
          scale,
        });
      }
      return attend(`${at}.self_attn`, qkv, { kv: qkv, spans, k_at: H * E, v_at: (H + K) * E }, rows);
    });
    h = feedForward(at, h, lastNorm && l === L - 1 ? undefined : states[l + 1]);
  }
  return lastNorm ? norm("encoder.norm", h, { out: states[L] }) : h;
}
