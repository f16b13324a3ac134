import { attentionStep, rope } from "../../kernels/index.js";
import type { Run } from "../../runtime/plan.js";
import { prefix, type Tensor } from "../../runtime/tensor.js";
import type { DecoderArchitecture, GraphModel } from "./architecture.js";
import { layers, relativeBias } from "./layers.js";

type DecoderModel = GraphModel<DecoderArchitecture>;

/** The encoder's side of a decoder: its keys and values a layer, and which rows of them belong to which sentence. */
export interface CrossKeys {
  readonly kv: readonly Tensor[];
  readonly spans: Tensor;
}

/** What a decoder remembers: a cache a layer, f32[R,M,2*K*E], and the rotation of every position, f32[M,E]. */
export interface PastKeys {
  readonly caches: readonly Tensor[];
  readonly rotary?: Tensor;
}

/** One new token a row. */
export interface StepInput {
  /** u32[R,4]: token id, position, sentence, parent beam. */
  readonly rows: Tensor;
  readonly past: PastKeys;
  /** u32[2,R,M]: the cache row that holds each token of a row's past. */
  readonly indirection: Tensor;
  readonly cross?: CrossKeys;
  /** Where to write the logits, when the host reads or changes them. */
  readonly logits?: Tensor;
}

/** All tokens of all targets at once, each seeing those before it and what the caches already hold. */
export interface PromptInput {
  /** u32[N,4]: token id, position, sentence, 0. */
  readonly rows: Tensor;
  readonly past: PastKeys;
  /** u32[B,2]: first slot in the caches and number of tokens of each sentence. */
  readonly spans: Tensor;
  /** Cache rows of a sentence; its keys go to the first of them. */
  readonly rowsPerPrompt: number;
  readonly cross?: CrossKeys;
}

/**
 * Keys and values of the source for every decoder layer, once a source whatever its beams: f32[N,2*K*E] each, into `kv`
 * when given.
 */
export function sourceKeys(run: Run, model: DecoderModel, encoded: Tensor, kv?: readonly Tensor[]): Tensor[] {
  const { linear } = layers(run, model, "decoder");
  return Array.from({ length: model.architecture.decoder.depth }, (_, l) =>
    linear(`decoder.layers.${l}.cross_attn.kv`, encoded, { y: kv?.[l] }),
  );
}

/** One step: rows to logits f32[R,V]. Launches: 1 + 11 a layer + 1 with cross attention, else 1 + 7 a layer + 2. */
export function decoderStep(
  run: Run,
  model: DecoderModel,
  { rows, past, indirection, cross, logits }: StepInput,
): Tensor {
  const { architecture, weights } = model;
  const { H, K, E, scale } = architecture.decoder;
  const bias = weights.find(relativeBias("decoder"));
  const attendPast = (l: number, name: string, qkv: Tensor): Tensor => {
    const tables = { positional: bias ?? past.rotary, qk_norm: weights.find(`${name}.qk_norm`) };
    const args = { rows, qkv, indirection, ...tables, cache: past.caches[l] };
    return run(attentionStep, name, args, { H, K, E, scale, eps: architecture.eps, RELATIVE: bias ? 1 : 0 }).out;
  };
  return lmHead(run, model, decoder(run, model, rows, attendPast, cross), logits);
}

/** A prompt or a whole target: rows to the last hidden states f32[N,D]. */
export function decoderPrompt(
  run: Run,
  model: DecoderModel,
  { rows, past, spans, rowsPerPrompt, cross }: PromptInput,
): Tensor {
  const { architecture, weights } = model;
  const { attend } = layers(run, model, "decoder");
  const { H, K, E } = architecture.decoder;
  const attendPrompt = (l: number, name: string, projected: Tensor): Tensor => {
    const tables = { rotary: past.rotary, qk_norm: weights.find(`${name}.qk_norm`) };
    const args = { rows, ...tables, qkv: projected, cache: past.caches[l] };
    const { qkv, cache } = run(rope, `${name}.rope`, args, { H, K, E, W: rowsPerPrompt, eps: architecture.eps });
    const [R, M, width] = cache.shape;
    const keys = { kv: prefix(cache, [R * M, width]), spans, k_at: 0, v_at: K * E };
    return attend(name, qkv, keys, rows, { causal: true });
  };
  return decoder(run, model, rows, attendPrompt, cross);
}

/** Logits f32[N,V] of hidden states f32[N,D]. */
export function lmHead(run: Run, model: DecoderModel, hidden: Tensor, logits?: Tensor): Tensor {
  return layers(run, model, "decoder").linear("lm_head", hidden, { y: logits });
}

type SelfAttention = (layer: number, name: string, qkv: Tensor) => Tensor;

/**
 * The decoder of a transformer (Vaswani et al. 2017, section 3.1; without cross attention, Radford et al. 2019, section
 * 2.3).
 */
function decoder(run: Run, model: DecoderModel, rows: Tensor, selfAttend: SelfAttention, cross?: CrossKeys): Tensor {
  const { embed, linear, norm, attend, block, feedForward } = layers(run, model, "decoder");
  const { depth, K, E, lastNorm } = model.architecture.decoder;
  let h = embed(rows);
  for (let l = 0; l < depth; l++) {
    const at = `decoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, `${at}.self_attn.out`, h, (x) =>
      selfAttend(l, `${at}.self_attn`, linear(`${at}.self_attn.qkv`, x)),
    );
    if (cross) {
      const source = { kv: cross.kv[l], spans: cross.spans, k_at: 0, v_at: K * E };
      h = block(`${at}.cross_attn_norm`, `${at}.cross_attn.out`, h, (x) =>
        attend(`${at}.cross_attn`, linear(`${at}.cross_attn.q`, x), source, rows, { cross: true }),
      );
    }
    h = feedForward(at, h);
  }
  return lastNorm ? norm("decoder.norm", h) : h;
}
