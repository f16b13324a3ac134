import { bartLike } from "./encoder_decoder.js";
import { sinusoidsAfterPadding } from "./positions.js";

/**
 * M2M100 (Fan et al. 2021) and NLLB (NLLB Team 2022): pre-norm, fairseq's sinusoids, and padding tokens without a
 * position.
 */
export const m2m_100 = bartLike({
  model_type: "m2m_100",
  placement: "pre",
  embedNorm: false,
  positions: sinusoidsAfterPadding,
  padUnplaced: true,
  logitsBias: false,
  defaults: { V: 128112, activation: "relu", scaled: true },
});
