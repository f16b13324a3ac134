import type { Gpu } from "../runtime/gpu.js";
import type { Architecture, DecoderArchitecture } from "./graph/architecture.js";
import type { IdleCache } from "./idle.js";
import type { Weights } from "./checkpoint/weights.js";

/** A loaded model: all that the three levels (Encoder, Decoder, Decoding) work with. */
export interface Core {
  /** The device. */
  readonly gpu: Gpu;
  /** Sizes and choices of the model. */
  readonly architecture: Architecture;
  /** Those on the device in use: others after it was lost. */
  readonly weights: Weights;
  /** Device memory of finished calls, for later calls of the same shape. */
  readonly idle: IdleCache;
}

/** A loaded model that has a decoder. */
export interface DecoderCore extends Core {
  readonly architecture: DecoderArchitecture;
}

/** A tensor on the host: its shape, and its values in row-major order. */
export interface HostTensor {
  /** Sizes, the last axis varying fastest. */
  readonly dims: readonly number[];
  /** Values in row-major order. */
  readonly data: Float32Array;
}
