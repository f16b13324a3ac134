import { ACTIVATION, type Activation } from "../../kernels/activation.js";
import { attention, embed, layernormResidual, matmul, matvec, rmsnormResidual } from "../../kernels/index.js";
import { MATVEC_ROWS, NORM } from "../../kernels/matvec.js";
import type { Run } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { Architecture, Stack } from "./architecture.js";
import type { Weights } from "../checkpoint/weights.js";

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
export interface Normed {
  readonly h: Tensor;
  readonly norm: string;
}

const NORM_ROWS = 4; // every workgroup normalises all rows again: for few it is cheaper than a launch

/** The vocabulary of a model file: layers by the name of their weights, which is also the label of their launch. */
export interface Layers {
  /** Token, position and segment rows, whichever tables there are, normalised where the model does. */
  embed(stack: string, rows: Tensor, out?: Tensor): Tensor;
  linear(name: string, x: Tensor | Normed, options?: LinearOptions): Tensor;
  norm(name: string, x: Tensor, out?: Tensor): Tensor;
  attend(name: string, stack: Stack, q: Tensor, keys: Keys, rows: Tensor, causal: boolean): Tensor;
  /** A residual block: `body` takes its input and what to add to its result; the norm comes before or after it. */
  block(norm: string, h: Tensor, body: (x: Tensor | Normed, residual: Tensor) => Tensor, out?: Tensor): Tensor;
  /** fc1, activation, fc2. */
  feedForward(at: string, x: Tensor | Normed, residual: Tensor): Tensor;
}

export function layers(run: Run, a: Architecture, w: Weights): Layers {
  const embedRows = (stack: string, rows: Tensor, out?: Tensor): Tensor => {
    const [gamma, beta] = [w.find(`${stack}.embed_norm.weight`), w.find(`${stack}.embed_norm.bias`)];
    const tables = w.parts(`${stack}.embed_tokens.weight`);
    const fused = tables.length === 1; // a table in parts is summed up before its norm
    const tail = {
      positions: w.find(`${stack}.embed_positions.weight`),
      segments: w.find(`${stack}.embed_segments.weight`),
      ...(fused && { gamma, beta }),
    };
    const values = { shift: a.positionShift ?? 0, scale: a.embeddingScale, eps: a.eps };
    let first = 0;
    let sum = fused || !gamma ? out : undefined;
    for (const tokens of tables) {
      const args = { rows, tokens, ...tail, ...(sum && { out: sum }) };
      sum = run(embed, `${stack}.embed`, args, { first, ...values }).out;
      first += tokens.shape[0];
    }
    return fused || !gamma ? (sum as Tensor) : norm(`${stack}.embed_norm`, sum as Tensor, out);
  };

  const linear = (
    name: string,
    input: Tensor | Normed,
    { activation = "none", gated = false, residual, y }: LinearOptions = {},
  ): Tensor => {
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

  const norm = (name: string, x: Tensor, out?: Tensor): Tensor => {
    const args = { x, gamma: w.get(`${name}.weight`), ...(out && { out }) };
    if (a.norm === "rmsnorm") return run(rmsnormResidual, name, args, { eps: a.eps }).out;
    return run(layernormResidual, name, { ...args, beta: w.get(`${name}.bias`) }, { eps: a.eps }).out;
  };

  return {
    embed: embedRows,
    linear,
    norm,
    attend(name, { H, K, E }, q, { kv, spans, k_at, v_at }, rows, causal) {
      const values = { H, K, E, k_at, v_at, scale: E ** -0.5, CAUSAL: Number(causal) };
      return run(attention, name, { rows, spans, q, kv }, values).out;
    },
    block(name, h, body, out) {
      return a.placement === "pre" ? body({ h, norm: name }, h) : norm(name, body(h, h), out);
    },
    feedForward(at, x, residual) {
      const wide = linear(`${at}.fc1`, x, { activation: a.activation, gated: a.gated });
      return linear(`${at}.fc2`, wide, { residual });
    },
  };
}
