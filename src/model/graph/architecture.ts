import type { Activation } from "../../kernels/activation.js";

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

/** What stands on the last states of an encoder without a decoder. */
export interface Head {
  /** Activation of a dense layer over a sentence's first state. */
  readonly pooler?: Activation;
  /** A linear layer to labels, over every token or over a sentence's pooled state. */
  readonly classifier?: "tokens" | "sentence";
  readonly labels: readonly string[];
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
  /** Absent in encoder-only models. */
  readonly decoder?: Stack;
  readonly head?: Head;
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
  /** Row of the position table that position 0 has. Default 0. */
  readonly positionShift?: number;
  /** Rows of the segment table (token types); absent without one. */
  readonly segments?: number;
  readonly rotary?: Rotary;
  /** Norms before a block ride in its first linear layer where there are few rows: worth it on GPUs, where launches cost. */
  readonly normInLinear?: boolean;
}

/** A model that generates. */
export interface DecoderArchitecture extends Architecture {
  readonly decoder: Stack;
}
