import { ACTIVATION, type Activation } from "../../kernels/activation.js";
import { attention, embed, layernormResidual, matmul, matvec, rmsnormResidual } from "../../kernels/index.js";
import { MATVEC_ROWS, NORM } from "../../kernels/matvec.js";
import type { Run } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { GraphModel, Stack } from "./architecture.js";

/** Where the keys and values of an attention lie: columns `k_at` and `v_at` of the rows `spans` gives for each sentence. */
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
  /** Where to write, when the host or a later plan reads the result. */
  readonly y?: Tensor;
}

/** Rows still to be normalised: the linear layer that takes them may do it itself, and save a launch. */
export interface PendingNorm {
  readonly h: Tensor;
  readonly norm: string;
}

const NORM_ROWS = 4; // every workgroup normalises all rows again: for few it is cheaper than a launch

/** The vocabulary of a model file: layers by the name of their weights, which is also the label of their launch. */
export interface Layers {
  /** Token, position and segment rows, whichever tables there are, normalised where the model does. `features` replace the tokens' rows. */
  embed(rows: Tensor, options?: { readonly features?: Tensor; readonly out?: Tensor }): Tensor;
  linear(name: string, x: Tensor | PendingNorm, options?: LinearOptions): Tensor;
  norm(name: string, x: Tensor, out?: Tensor): Tensor;
  /** Self attention, over the tokens so far where `causal`, or attention to another sequence where `cross`. */
  attend(name: string, q: Tensor, keys: Keys, rows: Tensor, kind?: { causal?: boolean; cross?: boolean }): Tensor;
  /** A residual block: h + project(body(norm(h))) in pre-norm models, norm(h + project(body(h))) in post-norm ones. */
  block(norm: string, project: string, h: Tensor, body: (x: Tensor | PendingNorm) => Tensor, out?: Tensor): Tensor;
  /** The block of fc1, activation and fc2. */
  feedForward(at: string, h: Tensor, out?: Tensor): Tensor;
}

/** The weight that biases self attention by distance, f32[U,H], in every layer of a stack (Raffel et al. 2020, section 2.1). */
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
    return fused || !gamma ? (sum as Tensor) : norm(`${side}.embed_norm`, sum as Tensor, out);
  };

  const linear: Layers["linear"] = (name, input, { activation = "none", gated = false, residual, y } = {}) => {
    const rides = "norm" in input && a.normInLinear && input.h.shape[0] <= NORM_ROWS;
    const x = !("norm" in input) ? input : rides ? input.h : norm(input.norm, input.h);
    const scaling = rides ? { gamma: w.get(`${input.norm}.weight`), beta: w.find(`${input.norm}.bias`) } : {};
    const [weights, biases] = [w.parts(`${name}.weight`), w.parts(`${name}.bias`)];
    const J = gated ? 2 : 1;
    const width = weights.reduce((sum, { shape }) => sum + shape[0] / J, 0);
    const out = y ?? tensor(name, "f32", [x.shape[0], width], "activation");
    let y_at = 0;
    for (const [part, weight] of weights.entries()) {
      const args = { x, weight, bias: biases[part], residual, y: out };
      const O = weight.shape[0] / J;
      const values = { J, O, y_at, ACTIVATION: ACTIVATION[activation] };
      if (x.shape[0] > MATVEC_ROWS) run(matmul, name, args, values);
      else
        run(matvec, name, { ...args, ...scaling }, { ...values, eps: a.eps, NORM: rides ? NORM[a.norm] : NORM.none });
      y_at += O;
    }
    return out;
  };

  const norm: Layers["norm"] = (name, x, out) => {
    const args = { x, gamma: w.get(`${name}.weight`), ...(out && { out }) };
    if (a.norm === "rmsnorm") return run(rmsnormResidual, name, args, { eps: a.eps }).out;
    return run(layernormResidual, name, { ...args, beta: w.get(`${name}.bias`) }, { eps: a.eps }).out;
  };

  const block: Layers["block"] = (name, project, h, body, out) => {
    if (a.placement === "pre") return linear(project, body({ h, norm: name }), { residual: h, y: out });
    return norm(name, linear(project, body(h), { residual: h }), out);
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
