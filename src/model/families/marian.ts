import { bartLike } from "./encoder_decoder.js";
import { sinusoids } from "./positions.js";

/**
 * Marian (Junczys-Dowmunt et al. 2018), as in Transformers: post-norm, sinusoidal positions; the decoder may have a
 * vocabulary of its own.
 */
export const marian = bartLike({
  model_type: "marian",
  placement: "post",
  embedNorm: false,
  positions: sinusoids,
  logitsBias: true,
  mayPart: true,
  defaults: { V: 58101, activation: "gelu", scaled: false },
});
