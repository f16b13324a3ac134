import type { Activation } from "../kernels/activation.js";

/** One stack of layers. */
export interface Stack {
  readonly layers: number;
  /** Feed-forward width. */
  readonly F: number;
  /** Query heads, key/value heads, width of a head. */
  readonly H: number;
  readonly K: number;
  readonly E: number;
}

/** Rotary positions: the angle of pair i at a position is position * frequencies[i]. */
export interface Rotary {
  readonly frequencies: readonly number[];
}

/** All that `encoder.ts` and `decoder.ts` ask of a model family. */
export interface Architecture {
  readonly family: string;
  /** Model width. */
  readonly D: number;
  /** Vocabulary. */
  readonly V: number;
  /** The most tokens a sequence can have. */
  readonly P: number;
  /** Absent in decoder-only models. */
  readonly encoder?: Stack;
  readonly decoder: Stack;
  readonly norm: "layernorm" | "rmsnorm";
  /** Norms before each block and after the last, or after each block. */
  readonly placement: "pre" | "post";
  /** Epsilon of the norms. */
  readonly eps: number;
  readonly activation: Activation;
  /** The activated half of fc1 multiplies its other half. */
  readonly gated: boolean;
  /** Factor on token embeddings. */
  readonly embeddingScale: number;
  readonly rotary?: Rotary;
}
