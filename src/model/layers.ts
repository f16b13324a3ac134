import { ACTIVATION, type Activation } from "../kernels/activation.js";
import { attention, embed, layernormResidual, matmul, matvec, rmsnormResidual } from "../kernels/index.js";
import { MATVEC_ROWS } from "../kernels/matvec.js";
import type { Run } from "../runtime/plan.js";
import { type Tensor, tensor } from "../runtime/tensor.js";
import type { Architecture, Stack } from "./architecture.js";
import type { Weights } from "./weights.js";

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

/** The vocabulary of a model file: layers by the name of their weights, which is also the label of their launch. */
export interface Layers {
  /** Token, position and segment rows, whichever tables there are, normalised where the model does. */
  embed(stack: string, rows: Tensor, out?: Tensor): Tensor;
  linear(name: string, x: Tensor, options?: LinearOptions): Tensor;
  norm(name: string, x: Tensor, out?: Tensor): Tensor;
  attend(name: string, stack: Stack, q: Tensor, keys: Keys, rows: Tensor, causal: boolean): Tensor;
  /** A residual block: `body` takes its input and what to add to its result; the norm comes before or after it. */
  block(norm: string, h: Tensor, body: (x: Tensor, residual: Tensor) => Tensor, out?: Tensor): Tensor;
  /** fc1, activation, fc2. */
  feedForward(at: string, x: Tensor, residual: Tensor): Tensor;
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
    x: Tensor,
    { activation = "none", gated = false, residual, y }: LinearOptions = {},
  ): Tensor => {
    const [weight, bias] = [w.get(`${name}.weight`), w.find(`${name}.bias`)];
    const J = gated ? 2 : 1;
    const out = y ?? tensor(name, "f32", [x.shape[0], weight.shape[0] / J], "activation");
    const kernel = x.shape[0] <= MATVEC_ROWS ? matvec : matmul;
    return run(kernel, name, { x, weight, bias, residual, y: out }, { J, ACTIVATION: ACTIVATION[activation] }).y;
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
      return a.placement === "pre" ? body(norm(name, h), h) : norm(name, body(h, h), out);
    },
    feedForward(at, x, residual) {
      const wide = linear(`${at}.fc1`, x, { activation: a.activation, gated: a.gated });
      return linear(`${at}.fc2`, wide, { residual });
    },
  };
}
