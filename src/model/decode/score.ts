import { InputError, OptionError } from "../../runtime/errors.js";
import type { DecoderCore } from "../core.js";
import { checkRowCount, packSpans, type TokenLists } from "../inputs.js";
import type { GenerationDefaults } from "./defaults.js";
import { forward } from "./forward.js";
import { withDefaults } from "./options.js";
import { specialTokens } from "./resolve.js";

/**
 * Log-probability of each target token, given those before it and its prompt or source; in one pass. Throws InputError for a row that is too long, and OptionError without a start token.
 */
export async function score(
  core: DecoderCore,
  defaults: GenerationDefaults,
  inputs: TokenLists,
  targets: TokenLists,
): Promise<number[][]> {
  const { V, encoder, decoder } = core.architecture;
  checkRowCount("targets", targets, "input_ids", inputs.length);
  const { start } = specialTokens(withDefaults(defaults.options));
  if (encoder && typeof start !== "number")
    throw new OptionError(`score: ${defaults.file} must give a decoder_start_token_id from 0 to ${V - 1}`);
  const prompts = encoder ? targets.map(() => [start as number]) : inputs;
  const fed = prompts.map((ids, b) => [...ids, ...targets[b]].slice(0, -1));
  const long = fed.findIndex(({ length }) => length > decoder.P);
  if (long >= 0)
    throw new InputError(
      `score: a prompt with its targets must have at most ${decoder.P + 1} tokens, row ${long} has ${fed[long].length + 1}; shorten it`,
    );
  const sources = encoder && inputs.map((ids) => ({ ids }));
  const { logits } = await forward(core, fed, sources);
  const spans = packSpans(fed);
  return targets.map((ids, b) => {
    const first = spans[2 * b] + prompts[b].length - 1; // the row that predicts the first target
    return ids.map((id, t) => logProbability(logits.subarray((first + t) * V, (first + t + 1) * V), id));
  });
}

function logProbability(logits: Float32Array, id: number): number {
  const top = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  return logits[id] - top - Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
}
