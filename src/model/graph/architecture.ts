import type { Activation } from "../../kernels/activation.js";
import type { Weights } from "../checkpoint/weights.js";

/** Rotary positions: the angle of pair i at a position is position * frequencies[i]. */
export interface Rotary {
  readonly frequencies: readonly number[];
}

/** One stack of layers, and what differs between the two stacks of a model. */
export interface Stack {
  /** Layers. */
  readonly depth: number;
  /** Feed-forward width. */
  readonly F: number;
  /** Query heads, key/value heads, width of a head. */
  readonly H: number;
  readonly K: number;
  readonly E: number;
  /** Most tokens of a sequence. */
  readonly P: number;
  /** Row of the position table for position 0. Default 0. */
  readonly positionShift?: number;
  /** Rows of the segment table (token types); absent without one. */
  readonly segments?: number;
  /** Factor on token embeddings. */
  readonly embeddingScale: number;
  /** Factor on attention scores. */
  readonly scale: number;
  /** A norm after the last layer. */
  readonly lastNorm: boolean;
  /** Absent where positions are not rotary. */
  readonly rotary?: Rotary;
}

/** What follows the last states of an encoder without a decoder. */
export interface Head {
  /** Activation of a dense layer over a sentence's first state. */
  readonly pooler?: Activation;
  /** A linear layer to labels, over every token or over a sentence's pooled state. */
  readonly classifier?: "tokens" | "sentence";
  readonly labels: readonly string[];
}

/** All that the graph asks of a model family. */
export interface Architecture {
  readonly family: string;
  /** Model width. */
  readonly D: number;
  /** Vocabulary. */
  readonly V: number;
  /** Absent in decoder-only models. */
  readonly encoder?: Stack;
  /** Absent in encoder-only models. */
  readonly decoder?: Stack;
  readonly head?: Head;
  readonly norm: "layernorm" | "rmsnorm";
  /** Norms before each block, or after it. */
  readonly placement: "pre" | "post";
  /** Epsilon of the norms. */
  readonly eps: number;
  readonly activation: Activation;
  /** Gated feed-forward (Shazeer 2020, arXiv:2002.05202): activation(gate) * up. */
  readonly gated: boolean;
  /**
   * Norms before a block ride in its first linear layer where there are few rows: worth it on GPUs, where launches
   * cost.
   */
  readonly normInLinear?: boolean;
}

/** A model that generates. */
export interface DecoderArchitecture extends Architecture {
  readonly decoder: Stack;
}

/** What a graph is recorded from. */
export interface GraphModel<A extends Architecture = Architecture> {
  readonly architecture: A;
  readonly weights: Weights;
}
