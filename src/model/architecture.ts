import type { Activation } from "../kernels/activation.js";

/** One stack of layers. */
export interface Stack {
  readonly layers: number;
  /** Feed-forward width. */
  readonly F: number;
  /** Query heads. */
  readonly H: number;
}

/** All that `encoder.ts` and `decoder.ts` ask of a model family. */
export interface Architecture {
  readonly family: string;
  /** Model width. */
  readonly D: number;
  /** Vocabulary. */
  readonly V: number;
  /** Rows of the position table: the most tokens a sequence can have. */
  readonly P: number;
  readonly encoder: Stack;
  readonly decoder: Stack;
  readonly activation: Activation;
  /** Epsilon of the norms. */
  readonly eps: number;
  /** Factor on token embeddings. */
  readonly embeddingScale: number;
}
