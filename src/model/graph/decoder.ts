import { attentionMerge } from "../../kernels/attention_merge.js";
import { attentionStep, splitWidth } from "../../kernels/attention_step.js";
import { rope } from "../../kernels/rope.js";
import type { Run } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { DecoderModel } from "./architecture.js";
import { layers, type ObservedWeights, relativeBias } from "./layers.js";
import { interleaving } from "./positions.js";

/** What cross attention reads. */
export interface CrossKeys {
  /** Keys and values of the sources for each layer: f32[S,2*K*E]. */
  readonly kv: readonly Tensor[];
  /** u32[B,2]: first row and number of rows of the source of each sentence. */
  readonly spans: Tensor;
}

/** The pool of slots in which a decoder keeps keys and values of tokens, a token a slot. */
export interface PastKeys {
  /** Keys and values for each layer: f32[Z,2*K*E], or in f16. */
  readonly caches: readonly Tensor[];
  /** The rotation of each position, f32[M,E], for models with rotary positions. */
  readonly rotary?: Tensor;
}

/** The inputs of a step: one new token a row. */
export interface StepInput {
  /** u32[R,4]: token id, position, sentence, parent beam. A row without a sentence is idle: its logits mean nothing. */
  readonly rows: Tensor;
  readonly past: PastKeys;
  /** u32[R,3,M]: the slots of each row's tokens, in the table `tableAt(position)`: those of its past, and its own. */
  readonly indirection: Tensor;
  readonly cross?: CrossKeys;
  /** f32[N,D]: what ids from V on stand for. */
  readonly vectors?: Tensor;
  /** Where to write the logits, if the host reads or changes them. */
  readonly logits?: Tensor;
}

/**
 * The inputs of a prompt or a whole target: many tokens, each of which sees those before it, and what a pool holds if
 * there is one.
 */
export interface PromptInput {
  /**
   * u32[N,4]: token id, position, sentence, and the slot to which its key and value go. A row without a sentence is
   * padding: it goes nowhere.
   */
  readonly rows: Tensor;
  /** Without caches nothing is kept, and rows see one another alone. */
  readonly past: Partial<PastKeys>;
  /** u32[B,2]: where the tokens of each sentence begin in `slots`, and how many it has; in `rows` without caches. */
  readonly spans: Tensor;
  /** u32[U]: the slots of all tokens that each sentence has, in their order. */
  readonly slots?: Tensor;
  readonly cross?: CrossKeys;
  /** f32[N,D]: what ids from V on stand for. */
  readonly vectors?: Tensor;
}

/** Where to write what a decoder computes on the way. */
export interface ObservedDecoder {
  /** States f32[N,D] after the embeddings and after each layer; those left undefined are not kept. */
  readonly states?: readonly (Tensor | undefined)[];
  /** Weights of self attention and of cross attention in each layer. Each takes one more launch. */
  readonly attentions?: readonly (ObservedWeights | undefined)[];
  readonly crossAttentions?: readonly (ObservedWeights | undefined)[];
}

/**
 * Keys and values of the sources for each decoder layer, f32[N,2*K*E], written to `kv` if given. Beams of a source
 * share them.
 */
export function sourceKeys(run: Run, model: DecoderModel, encoded: Tensor, kv?: readonly Tensor[]): Tensor[] {
  const { linear } = layers(run, model, "decoder");
  return Array.from({ length: model.architecture.decoder.depth }, (_, l) =>
    linear(`decoder.layers.${l}.cross_attn.kv`, encoded, { y: kv?.[l] }),
  );
}

const LONG = 512; // tokens of a past from which on a launch more costs less than what few workgroups leave idle

/**
 * One step, from rows to logits f32[R,V]: 1 + 11 launches a layer + 1 with cross attention, or else 1 + 7 a layer + 2.
 * Where keys are split, a layer over a long past has one more.
 */
export function decoderStep(
  run: Run,
  model: DecoderModel,
  { rows, past, indirection, cross, vectors, logits }: StepInput,
  observed: ObservedDecoder = {},
): Tensor {
  const { architecture, weights } = model;
  const { H, K, E, scale, rotary } = architecture.decoder;
  const attendPast = (l: number, name: string, qkv: Tensor): Tensor => {
    const bias = weights.find(relativeBias(name));
    const tables = { positional: bias ?? past.rotary, qk_norm: weights.find(`${name}.qk_norm`) };
    const cache = past.caches[l];
    const [, , M] = indirection.shape;
    const split = architecture.splitKeys === true && M >= LONG;
    const Y = split ? splitWidth(M, E) : E;
    const args = { rows, qkv, indirection, ...tables, cache };
    const constants = { RELATIVE: bias ? 1 : 0, INTERLEAVED: interleaving(rotary) };
    const { out } = run(attentionStep, name, args, { H, K, E, Y, scale, eps: architecture.eps, ...constants });
    return split ? run(attentionMerge, `${name}.merge`, { rows, parts: out }, { H, E, Y }).out : out;
  };
  return lmHead(run, model, decoder(run, model, { rows, vectors, cross }, attendPast, observed), logits);
}

/** A prompt or a whole target, from rows to the last hidden states f32[N,D]. */
export function decoderPrompt(
  run: Run,
  model: DecoderModel,
  { rows, past, spans, slots, cross, vectors }: PromptInput,
  observed: ObservedDecoder = {},
): Tensor {
  const { architecture, weights } = model;
  const { attend } = layers(run, model, "decoder");
  const { H, K, E, rotary } = architecture.decoder;
  const values = { H, K, E, eps: architecture.eps, INTERLEAVED: interleaving(rotary) };
  const attendPrompt = (l: number, name: string, qkv: Tensor): Tensor => {
    const tables = { rotary: past.rotary, qk_norm: weights.find(`${name}.qk_norm`) };
    const cache = past.caches?.[l];
    if (cache || tables.rotary || tables.qk_norm) run(rope, `${name}.rope`, { rows, ...tables, qkv, cache }, values);
    const keys = cache
      ? { kv: cache, spans, slots, k_at: 0, v_at: K * E }
      : { kv: qkv, spans, k_at: H * E, v_at: (H + K) * E };
    return attend(name, qkv, keys, rows, { causal: true, observed: observed.attentions?.[l] });
  };
  return decoder(run, model, { rows, vectors, cross }, attendPrompt, observed);
}

/** Logits f32[N,V] of hidden states f32[N,D], written to `logits` if given. */
export function lmHead(run: Run, model: DecoderModel, hidden: Tensor, logits?: Tensor): Tensor {
  return layers(run, model, "decoder").linear("lm_head", hidden, { y: logits });
}

type SelfAttention = (layer: number, name: string, qkv: Tensor) => Tensor;

/**
 * The decoder of a transformer (Vaswani et al. 2017, section 3.1; without cross attention, Radford et al. 2019, section
 * 2.3).
 */
function decoder(
  run: Run,
  model: DecoderModel,
  { rows, vectors, cross }: Pick<StepInput, "rows" | "vectors" | "cross">,
  selfAttend: SelfAttention,
  { states = [], crossAttentions = [] }: ObservedDecoder = {},
): Tensor {
  const { embed, linear, norm, attend, block, feedForward } = layers(run, model, "decoder");
  const { depth, K, E, lastNorm } = model.architecture.decoder;
  let h = embed(rows, { vectors, out: states[0] });
  for (let l = 0; l < depth; l++) {
    const at = `decoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, `${at}.self_attn.out`, h, (x) =>
      selfAttend(l, `${at}.self_attn`, linear(`${at}.self_attn.qkv`, x)),
    );
    if (cross) {
      const source = { kv: cross.kv[l], spans: cross.spans, k_at: 0, v_at: K * E };
      h = block(`${at}.cross_attn_norm`, `${at}.cross_attn.out`, h, (x) =>
        attend(`${at}.cross_attn`, linear(`${at}.cross_attn.q`, x), source, rows, { observed: crossAttentions[l] }),
      );
    }
    h = feedForward(at, h, lastNorm && l === depth - 1 ? undefined : states[l + 1]);
  }
  return lastNorm ? norm("decoder.norm", h, { out: states[depth] }) : h;
}
