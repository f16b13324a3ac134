import { bartLike } from "./encoder_decoder.js";
import { learnedAfterTwo } from "./positions.js";

/** BART (Lewis et al. 2020): post-norm, learned positions, a norm on the embeddings. */
export const bart = bartLike({
  model_type: "bart",
  placement: "post",
  embedNorm: true,
  positions: learnedAfterTwo,
  classifies: true,
  logitsBias: true,
  defaults: { V: 50265, activation: "gelu", scaled: false },
});
