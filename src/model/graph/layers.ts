import { type Activation, ACTIVATIONS } from "../../kernels/activation.js";
import { NO_ID } from "../../kernels/constants.js";
import { attention } from "../../kernels/attention.js";
import { attentionWeights } from "../../kernels/attention_weights.js";
import { embed } from "../../kernels/embed.js";
import { layernormResidual } from "../../kernels/layernorm_residual.js";
import { matmul, NORM, takesNorm } from "../../kernels/matmul.js";
import type { Run } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { GraphModel, Stack } from "./architecture.js";

/**
 * Where attention finds keys and values: from columns `k_at` and `v_at` of `kv` on, in the rows that `spans` gives a
 * sentence, or in those that its part of `slots` names.
 */
export interface Keys {
  readonly kv: Tensor;
  readonly spans: Tensor;
  readonly slots?: Tensor;
  readonly k_at: number;
  readonly v_at: number;
}

interface LinearOptions {
  readonly activation?: Activation;
  /** Outputs come in pairs: the first of a pair, activated, is multiplied by the second. */
  readonly gated?: boolean;
  /** Added after the activation. */
  readonly residual?: Tensor;
  /** Leave the bias out, because it is added later. */
  readonly bare?: boolean;
  /** Where to write the result, if the host or another plan reads it. */
  readonly y?: Tensor;
}

/** Rows that still have to be normalised, which the next linear layer may do itself to save a launch. */
export interface PendingNorm {
  /** f32[N,D]. */
  readonly h: Tensor;
  /** The name of the norm. */
  readonly norm: string;
}

interface NormOptions {
  /** Added before the norm, at the end of a residual block. */
  readonly bias?: Tensor;
  readonly residual?: Tensor;
  readonly out?: Tensor;
}

/** Where to write attention weights: f32[N,H,T], or f32[N,X,T] of the X heads of the list `heads` u32[X]. */
export interface ObservedWeights {
  readonly weights: Tensor;
  readonly heads?: Tensor;
}

interface AttentionKind {
  /** To the keys up to each token alone. Default: to all keys of its sentence. */
  readonly causal?: boolean;
  readonly observed?: ObservedWeights;
}

/** The layers of which graphs are made. The name of a layer's weights is also the label of its launch. */
export interface Layers {
  /**
   * The sum of token, position and segment embeddings, as far as the model has them, and their norm if it has one.
   * `features` replace token embeddings; `vectors` stand for ids from V on. Neither is scaled.
   */
  embed(
    rows: Tensor,
    options?: { readonly features?: Tensor; readonly vectors?: Tensor; readonly out?: Tensor },
  ): Tensor;
  /** A linear layer, in as many launches as its weight has parts: f32[N,O]. */
  linear(name: string, x: Tensor | PendingNorm, options?: LinearOptions): Tensor;
  /** LayerNorm or RMSNorm, f32[N,D]. */
  norm(name: string, x: Tensor, options?: NormOptions): Tensor;
  /** Attention f32[N,H*E], with biases by distance if it has them. One more launch observes its weights. */
  attend(name: string, q: Tensor, keys: Keys, rows: Tensor, kind?: AttentionKind): Tensor;
  /** A residual block: h + project(body(norm(h))) in pre-norm models, norm(h + project(body(h))) in post-norm ones. */
  block(norm: string, project: string, h: Tensor, body: (x: Tensor | PendingNorm) => Tensor, out?: Tensor): Tensor;
  /** The residual block of fc1, activation and fc2. */
  feedForward(at: string, h: Tensor, out?: Tensor): Tensor;
}

/** The name of the weight f32[U,H] that biases an attention by distance, if there is one (Raffel et al. 2020, section 2.1). */
export const relativeBias = (attention: string): string => `${attention}.relative_bias`;

/** The layers of one stack of a model, which record their launches with `run`. */
export function layers(run: Run, { architecture, weights }: GraphModel, side: "encoder" | "decoder"): Layers {
  const stack = architecture[side] as Stack;
  const { eps } = architecture;

  const embedRows: Layers["embed"] = (rows, { features, vectors, out } = {}) => {
    const [gamma, beta] = [weights.find(`${side}.embed_norm.weight`), weights.find(`${side}.embed_norm.bias`)];
    const tokens = features ? [] : weights.parts(`${side}.embed_tokens.weight`);
    const tables = [...tokens, features ?? [], vectors ?? []].flat();
    const fused = tables.length === 1; // with a table in parts, rows are complete only after the last part
    const tail = {
      positions: weights.find(`${side}.embed_positions.weight`),
      segments: weights.find(`${side}.embed_segments.weight`),
      ...(fused && { gamma, beta }),
    };
    const values = {
      shift: stack.positionShift ?? 0,
      unplaced: features ? NO_ID : (stack.unplaced ?? NO_ID),
      eps,
    };
    let first = 0;
    let sum = fused || !gamma ? out : undefined;
    for (const weight of tables) {
      const args = { rows, weight, ...tail, ...(sum && { out: sum }) };
      const scale = tokens.includes(weight) ? stack.embeddingScale : 1;
      sum = run(embed, `${side}.embed`, args, { first, scale, ...values }).out;
      first += weight.shape[0];
    }
    return fused || !gamma ? (sum as Tensor) : norm(`${side}.embed_norm`, sum as Tensor, { out });
  };

  const linear: Layers["linear"] = (name, input, options = {}) => {
    const { activation = "none", gated = false, residual, bare = false, y } = options;
    const rides = "norm" in input && architecture.normInLinear && takesNorm(input.h.shape[0]);
    const x = !("norm" in input) ? input : rides ? input.h : norm(input.norm, input.h);
    const scaling = rides
      ? { gamma: weights.get(`${input.norm}.weight`), beta: weights.find(`${input.norm}.bias`) }
      : {};
    const [parts, bias] = [weights.parts(`${name}.weight`), bare ? undefined : weights.find(`${name}.bias`)];
    const J = gated ? 2 : 1;
    const width = parts.reduce((sum, { shape }) => sum + shape[0] / J, 0);
    const out = y ?? tensor(name, "f32", [x.shape[0], width], "activation");
    const constants = { ACTIVATION: ACTIVATIONS[activation].code, NORM: rides ? NORM[architecture.norm] : NORM.none };
    let y_at = 0;
    for (const weight of parts) {
      const O = weight.shape[0] / J;
      run(matmul, name, { x, weight, bias, residual, ...scaling, y: out }, { J, O, y_at, eps, ...constants });
      y_at += O;
    }
    return out;
  };

  const norm: Layers["norm"] = (name, x, { bias, residual, out } = {}) => {
    const scaling = { gamma: weights.get(`${name}.weight`), beta: weights.find(`${name}.bias`) };
    const values = { eps, CENTRED: Number(architecture.norm === "layernorm") };
    return run(layernormResidual, name, { x, bias, residual, ...scaling, ...(out && { out }) }, values).out;
  };

  const block: Layers["block"] = (name, project, h, body, out) => {
    if (architecture.placement === "pre") return linear(project, body({ h, norm: name }), { residual: h, y: out });
    const product = linear(project, body(h), { bare: true });
    return norm(name, product, { bias: weights.find(`${project}.bias`), residual: h, out });
  };

  return {
    embed: embedRows,
    linear,
    norm,
    block,
    attend(name, q, { kv, spans, slots, k_at, v_at }, rows, { causal = false, observed } = {}) {
      const { H, K, E, scale } = stack;
      const args = { rows, spans, q, kv, slots, bias: weights.find(relativeBias(name)) };
      const values = { H, K, E, k_at, scale, CAUSAL: Number(causal) };
      if (observed) {
        const [, X, T] = observed.weights.shape;
        run(attentionWeights, `${name}.weights`, { ...args, ...observed }, { ...values, X, T });
      }
      return run(attention, name, args, { ...values, v_at }).out;
    },
    feedForward(at, h, out) {
      const { activation, gated } = stack;
      return block(`${at}.final_norm`, `${at}.fc2`, h, (x) => linear(`${at}.fc1`, x, { activation, gated }), out);
    },
  };
}
