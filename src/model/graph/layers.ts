import { type Activation, ACTIVATIONS } from "../../kernels/activation.js";
import { attention, embed, layernormResidual, matmul } from "../../kernels/index.js";
import { NORM, takesNorm } from "../../kernels/matmul.js";
import type { Run } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { GraphModel, Stack } from "./architecture.js";

/**
 * Where the keys and values of an attention lie: columns `k_at` and `v_at` of the rows `spans` gives for each sentence.
 */
export interface Keys {
  readonly kv: Tensor;
  readonly spans: Tensor;
  readonly k_at: number;
  readonly v_at: number;
}

interface LinearOptions {
  readonly activation?: Activation;
  /** Outputs in pairs: the first of a pair, activated, times the second. */
  readonly gated?: boolean;
  /** Added after the activation. */
  readonly residual?: Tensor;
  /** Without its bias, which is added later. */
  readonly bare?: boolean;
  /** Where to write, when the host or a later plan reads the result. */
  readonly y?: Tensor;
}

/** Rows still to be normalised: the linear layer that takes them may do it itself, and save a launch. */
export interface PendingNorm {
  readonly h: Tensor;
  readonly norm: string;
}

interface NormOptions {
  /** Added before the norm, as the end of a residual block. */
  readonly bias?: Tensor;
  readonly residual?: Tensor;
  readonly out?: Tensor;
}

/** The vocabulary of a model file: layers by the name of their weights, which is also the label of their launch. */
export interface Layers {
  /**
   * Token, position and segment rows, whichever tables there are, normalised where the model does. `features` replace
   * the tokens' rows.
   */
  embed(rows: Tensor, options?: { readonly features?: Tensor; readonly out?: Tensor }): Tensor;
  linear(name: string, x: Tensor | PendingNorm, options?: LinearOptions): Tensor;
  norm(name: string, x: Tensor, options?: NormOptions): Tensor;
  /** Self attention, over the tokens so far where `causal`, or attention to another sequence where `cross`. */
  attend(name: string, q: Tensor, keys: Keys, rows: Tensor, kind?: { causal?: boolean; cross?: boolean }): Tensor;
  /** A residual block: h + project(body(norm(h))) in pre-norm models, norm(h + project(body(h))) in post-norm ones. */
  block(norm: string, project: string, h: Tensor, body: (x: Tensor | PendingNorm) => Tensor, out?: Tensor): Tensor;
  /** The block of fc1, activation and fc2. */
  feedForward(at: string, h: Tensor, out?: Tensor): Tensor;
}

/**
 * The weight that biases self attention by distance, f32[U,H], in every layer of a stack (Raffel et al. 2020, section
 * 2.1).
 */
export const relativeBias = (side: "encoder" | "decoder"): string => `${side}.relative_bias`;

export function layers(run: Run, { architecture: a, weights: w }: GraphModel, side: "encoder" | "decoder"): Layers {
  const stack = a[side] as Stack;

  const embedRows: Layers["embed"] = (rows, { features, out } = {}) => {
    const [gamma, beta] = [w.find(`${side}.embed_norm.weight`), w.find(`${side}.embed_norm.bias`)];
    const tables = features ? [features] : w.parts(`${side}.embed_tokens.weight`);
    const fused = tables.length === 1; // a table in parts is summed up before its norm
    const tail = {
      positions: w.find(`${side}.embed_positions.weight`),
      segments: w.find(`${side}.embed_segments.weight`),
      ...(fused && { gamma, beta }),
    };
    const values = { shift: stack.positionShift ?? 0, scale: features ? 1 : stack.embeddingScale, eps: a.eps };
    let first = 0;
    let sum = fused || !gamma ? out : undefined;
    for (const tokens of tables) {
      const args = { rows, tokens, ...tail, ...(sum && { out: sum }) };
      sum = run(embed, `${side}.embed`, args, { first, ...values }).out;
      first += tokens.shape[0];
    }
    return fused || !gamma ? (sum as Tensor) : norm(`${side}.embed_norm`, sum as Tensor, { out });
  };

  const linear: Layers["linear"] = (name, input, options = {}) => {
    const { activation = "none", gated = false, residual, bare = false, y } = options;
    const rides = "norm" in input && a.normInLinear && takesNorm(input.h.shape[0]);
    const x = !("norm" in input) ? input : rides ? input.h : norm(input.norm, input.h);
    const scaling = rides ? { gamma: w.get(`${input.norm}.weight`), beta: w.find(`${input.norm}.bias`) } : {};
    const [weights, bias] = [w.parts(`${name}.weight`), bare ? undefined : w.find(`${name}.bias`)];
    const J = gated ? 2 : 1;
    const width = weights.reduce((sum, { shape }) => sum + shape[0] / J, 0);
    const out = y ?? tensor(name, "f32", [x.shape[0], width], "activation");
    const constants = { ACTIVATION: ACTIVATIONS[activation].code, NORM: rides ? NORM[a.norm] : NORM.none };
    let y_at = 0;
    for (const weight of weights) {
      const O = weight.shape[0] / J;
      run(matmul, name, { x, weight, bias, residual, ...scaling, y: out }, { J, O, y_at, eps: a.eps, ...constants });
      y_at += O;
    }
    return out;
  };

  const norm: Layers["norm"] = (name, x, { bias, residual, out } = {}) => {
    const weights = { gamma: w.get(`${name}.weight`), beta: w.find(`${name}.bias`) };
    const values = { eps: a.eps, CENTRED: Number(a.norm === "layernorm") };
    return run(layernormResidual, name, { x, bias, residual, ...weights, ...(out && { out }) }, values).out;
  };

  const block: Layers["block"] = (name, project, h, body, out) => {
    if (a.placement === "pre") return linear(project, body({ h, norm: name }), { residual: h, y: out });
    const product = linear(project, body(h), { bare: true });
    return norm(name, product, { bias: w.find(`${project}.bias`), residual: h, out });
  };

  return {
    embed: embedRows,
    linear,
    norm,
    block,
    attend(name, q, { kv, spans, k_at, v_at }, rows, { causal = false, cross = false } = {}) {
      const { H, K, E, scale } = stack;
      const bias = cross ? undefined : w.find(relativeBias(side));
      const values = { H, K, E, k_at, v_at, scale, CAUSAL: Number(causal) };
      return run(attention, name, { rows, spans, q, kv, bias }, values).out;
    },
    feedForward(at, h, out) {
      const { activation, gated } = a;
      return block(`${at}.final_norm`, `${at}.fc2`, h, (x) => linear(`${at}.fc1`, x, { activation, gated }), out);
    },
  };
}
