import type { Gpu } from "../runtime/gpu.js";
import type { Architecture, DecoderArchitecture } from "./graph/architecture.js";
import type { IdleCache } from "./idle.js";
import type { Weights } from "./checkpoint/weights.js";

/** A loaded model, as the three levels (`Encoder`, `Decoder`, `Decoding`) see it. */
export interface Core {
  readonly gpu: Gpu;
  readonly architecture: Architecture;
  readonly weights: Weights;
  readonly idle: IdleCache;
}

/** A loaded model that generates. */
export interface DecoderCore extends Core {
  readonly architecture: DecoderArchitecture;
}

/** A tensor on the host, named by its place in a result. */
export interface HostTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}
