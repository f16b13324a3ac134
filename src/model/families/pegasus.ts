import { bartLike } from "./encoder_decoder.js";
import { sinusoids } from "./positions.js";

/** Pegasus (Zhang et al. 2020): pre-norm, sinusoidal positions. */
export const pegasus = bartLike({
  model_type: "pegasus",
  placement: "pre",
  embedNorm: false,
  positions: sinusoids,
  logitsBias: true,
  defaults: { V: 50265, activation: "gelu", scaled: false },
});
