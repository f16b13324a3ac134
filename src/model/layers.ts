import { ACTIVATION, type Activation } from "../kernels/activation.js";
import { attention, embed, layernormResidual, matmul, matvec } from "../kernels/index.js";
import { MATVEC_ROWS } from "../kernels/matvec.js";
import type { Run } from "../runtime/plan.js";
import type { Tensor } from "../runtime/tensor.js";
import type { Architecture } from "./architecture.js";
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
  /** Added after the activation. */
  readonly residual?: Tensor;
  /** Where to write, when the host or a later plan reads the result. */
  readonly y?: Tensor;
}

/** The vocabulary of a model file: layers by the name of their weights, which is also the label of their launch. */
export interface Layers {
  embed(stack: string, rows: Tensor): Tensor;
  linear(name: string, x: Tensor, options?: LinearOptions): Tensor;
  norm(name: string, x: Tensor, out?: Tensor): Tensor;
  attend(name: string, H: number, q: Tensor, keys: Keys, rows: Tensor, causal: boolean): Tensor;
}

export function layers(run: Run, a: Architecture, w: Weights): Layers {
  return {
    embed(stack, rows) {
      const [tokens, positions] = [w.get(`${stack}.embed_tokens.weight`), w.find(`${stack}.embed_positions.weight`)];
      return run(embed, `${stack}.embed`, { rows, tokens, positions }, { shift: 0, scale: a.embeddingScale }).out;
    },
    linear(name, x, { activation = "none", residual, y } = {}) {
      const kernel = x.shape[0] <= MATVEC_ROWS ? matvec : matmul;
      const args = { x, weight: w.get(`${name}.weight`), bias: w.find(`${name}.bias`), residual, ...(y && { y }) };
      return run(kernel, name, args, { ACTIVATION: ACTIVATION[activation] }).y;
    },
    norm(name, x, out) {
      const args = { x, gamma: w.get(`${name}.weight`), beta: w.get(`${name}.bias`), ...(out && { out }) };
      return run(layernormResidual, name, args, { eps: a.eps }).out;
    },
    attend(name, H, q, { kv, spans, k_at, v_at }, rows, causal) {
      const E = a.D / H;
      const values = { H, K: H, E, k_at, v_at, scale: E ** -0.5, CAUSAL: Number(causal) };
      return run(attention, name, { rows, spans, q, kv }, values).out;
    },
  };
}
