import type { Architecture } from "../../src/model/graph/architecture.js";
import type { ModelInputs } from "../../src/model/inputs.js";

/** Inputs that a model takes: these tokens, or a signal. */
export function sampleInputs({ encoder }: Architecture, input_ids: number[][]): ModelInputs {
  if (!encoder?.stem) return { input_ids };
  const { input, C, least } = encoder.stem;
  const data = Float32Array.from({ length: C * least }, (_, i) => Math.sin(i));
  return { [input]: { dims: C > 1 ? [1, C, least] : [1, least], data } };
}
