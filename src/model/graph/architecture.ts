import type { Activation } from "../../kernels/activation.js";
import { OptionError } from "../../runtime/errors.js";
import type { AdapterClass } from "../../runtime/device_class.js";
import type { Weights } from "../checkpoint/weights.js";

/** Rotary positions: pair i of a head is rotated by position * frequencies[i]. */
export interface Rotary {
  /** In radians per position: E/2 of them, or fewer, then the last pairs stay as they are. */
  readonly frequencies: readonly number[];
  /** Pair i is (2i, 2i+1) of a head's numbers; else (i, i + E/2). */
  readonly interleaved?: boolean;
}

/** A convolution over the frames of a signal. */
export interface Convolution {
  /** Frames that an output sees. */
  readonly taps: number;
  /** Frames from one output to the next. */
  readonly stride: number;
  /** Frames of zeros before and after a signal. */
  readonly pad: number;
  readonly activation: Activation;
  /** Whether all that it gives for a signal is then normalised together. Not for the last convolution. */
  readonly groupNorm?: boolean;
}

/** The front end of a speech model: convolutions that turn a signal f32[frames,C] into the rows of its encoder. */
export interface Stem {
  /** What callers name the signal, as in Transformers: mel spectra f32[B,C,frames], or samples f32[B,frames]. */
  readonly input: "input_features" | "input_values";
  /** Numbers of a frame: mel bands; 1 where frames are samples. */
  readonly C: number;
  /** The fewest and the most frames of a signal. */
  readonly least: number;
  readonly most: number;
  readonly convolutions: readonly Convolution[];
}

/** The encoder or the decoder: a stack of layers, with all that may differ between the two stacks of a model. */
export interface Stack {
  /** Number of layers. */
  readonly depth: number;
  /** Feed-forward width. */
  readonly F: number;
  /** Of the feed-forward layers. */
  readonly activation: Activation;
  /** Gated feed-forward (Shazeer 2020, arXiv:2002.05202): activation(gate) * up. */
  readonly gated: boolean;
  /** Query heads. */
  readonly H: number;
  /** Key/value heads; K divides H. */
  readonly K: number;
  /** Width of a head. */
  readonly E: number;
  /** Most tokens of a sequence. */
  readonly P: number;
  /** The row of the position table for position 0. Default 0. */
  readonly positionShift?: number;
  /** The id of a token that has no position and is not counted; absent where every token has one. */
  readonly unplaced?: number;
  /** Size of its vocabulary, where it may be another than the model's. */
  readonly V?: number;
  /**
   * Width of the states that cross attention reads, where it is not D: the model then decodes the output of another
   * encoder (FasterTransformer's `memory_hidden_units`).
   */
  readonly memory?: number;
  /** Number of segments (token types); absent without a segment table. */
  readonly segments?: number;
  /** Factor for token embeddings. */
  readonly embeddingScale: number;
  /** Factor for attention scores. */
  readonly scale: number;
  /** Whether a norm follows the last layer. */
  readonly lastNorm: boolean;
  /** Factor that the weights of the last norm include for the logits; hidden states are shown without it. */
  readonly lastFactor?: number;
  /**
   * Whether scores of self attention are biased by the distance of two tokens, counted in tokens: these have no
   * positions of their own (Raffel et al. 2020, section 2.1).
   */
  readonly biased?: boolean;
  /** Rotary positions, if the model has them. */
  readonly rotary?: Rotary;
  /** What turns signals into the rows of an encoder, in place of token embeddings. */
  readonly stem?: Stem;
}

/** The head of a model that writes no text: what follows its last states. */
export interface Head {
  /** Activation of a dense layer on the state that stands for a sentence, if there is one. */
  readonly pooler?: Activation;
  /** Whether the last state stands for a sentence, as in decoders, and not the first. */
  readonly last?: boolean;
  /** The token that is padding wherever it stands at the end of a sentence, whose last state stands before it. */
  readonly pad?: number;
  /** In models with an encoder: the token that the decoder reads before those of the sentence. */
  readonly start?: number;
  /**
   * Where a linear layer computes labels: on every token; likewise the start and end of an answer ("spans"); or on the
   * state that stands for a sentence.
   */
  readonly classifier?: "tokens" | "spans" | "sentence";
  /** Names of the labels by id. */
  readonly labels: readonly string[];
  /** Activation of the dense layer before the logits of masked tokens, if the model fills masks. */
  readonly masks?: Activation;
}

/** The formats of caches. */
export const CACHE_FORMATS = ["f32", "f16"] as const;

/** How keys and values of the past are stored. */
export type CacheFormat = (typeof CACHE_FORMATS)[number];

/** All that the graph needs to know of a model. */
export interface Architecture {
  /** The `model_type` of its family. */
  readonly family: string;
  /** Model width. */
  readonly D: number;
  /** Size of the vocabulary, in encoder-decoders that of targets. */
  readonly V: number;
  /** Absent in decoder-only models. */
  readonly encoder?: Stack;
  /** Absent in encoder-only models. */
  readonly decoder?: Stack;
  /** What a model without logits of next tokens has instead. */
  readonly head?: Head;
  readonly norm: "layernorm" | "rmsnorm";
  /** Whether norms come before or after each block. */
  readonly placement: "pre" | "post";
  /** Epsilon of the norms. */
  readonly eps: number;
  /**
   * Whether the first linear layer of a pre-norm block also normalises its input, when it has few rows: faster on GPUs,
   * where each launch costs time.
   */
  readonly normInLinear?: boolean;
  /**
   * Whether a step over a long past attends to parts of it side by side: faster on GPUs, most of whose cores a workgroup
   * for each head leaves idle.
   */
  readonly splitKeys?: boolean;
  /** How keys and values of the past are stored. Default "f32". */
  readonly cacheFormat?: CacheFormat;
}

/** What the graph does differently on each class of adapters. */
export const choicesFor = (adapter: AdapterClass): Pick<Architecture, "normInLinear" | "splitKeys"> => ({
  normInLinear: adapter === "gpu",
  splitKeys: adapter === "gpu",
});

/**
 * A model whose caches have this format. Throws OptionError in the name of `who` for one without caches, and for f16 where
 * heads are no whole fours of numbers.
 */
export function withCache<A extends Architecture>(who: string, architecture: A, cacheFormat?: CacheFormat): A {
  if (cacheFormat === undefined) return architecture;
  const { decoder, head, family } = architecture;
  if (!decoder || head) throw new OptionError(`${who}: cache must be absent, this ${family} writes no text`);
  const chunk = decoder.rotary ? 8 : 4;
  if (cacheFormat === "f16" && decoder.E % chunk)
    throw new OptionError(
      `${who}: cache must be "f32" where the width of a head is no multiple of ${chunk}, this ${family} has ${decoder.E}`,
    );
  return { ...architecture, cacheFormat };
}

/** An architecture that has a decoder. */
export interface DecoderArchitecture extends Architecture {
  readonly decoder: Stack;
}

/** The width of the states that cross attention reads. */
export const memoryWidth = ({ D, decoder }: Architecture): number => decoder?.memory ?? D;

/** What the graph of a decoder is recorded from. */
export type DecoderModel = GraphModel<DecoderArchitecture>;

/** What a graph is recorded from. */
export interface GraphModel<A extends Architecture = Architecture> {
  readonly architecture: A;
  readonly weights: Weights;
}
