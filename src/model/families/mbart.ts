import { bartLike } from "./encoder_decoder.js";
import { learnedAfterTwo } from "./positions.js";

/** mBART (Liu et al. 2020) and mBART-50 (Tang et al. 2020): BART with norms before each block and after the last. */
export const mbart = bartLike({
  model_type: "mbart",
  placement: "pre",
  embedNorm: true,
  positions: learnedAfterTwo,
  logitsBias: true,
  defaults: { V: 50265, activation: "gelu", scaled: false },
});
