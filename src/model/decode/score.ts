import { InputError, OptionError } from "../../runtime/errors.js";
import type { DecoderCore } from "../core.js";
import { checkRowCount, type SourceInputs, type TokenLists } from "../inputs.js";
import { readAttended, readPrompts } from "../sources.js";
import type { GenerationDefaults } from "./defaults.js";
import { forward } from "./forward.js";
import { withDefaults } from "./options.js";
import { specialTokens } from "./resolve.js";

/**
 * Log-probability of each target token, given those before it and its prompt or source; in one pass. Throws InputError
 * for a row that is too long, and OptionError without a start token.
 */
export async function score(
  core: DecoderCore,
  defaults: GenerationDefaults,
  inputs: SourceInputs,
  targets: TokenLists,
): Promise<number[][]> {
  const { architecture } = core;
  const { V, encoder, decoder } = architecture;
  const sources = encoder && readAttended(architecture, inputs).sources;
  const read = sources ? undefined : readPrompts(architecture, inputs, { holes: "drop" });
  checkRowCount("targets", targets, "the inputs", (sources ?? read?.ids)?.length ?? 0);
  const { start } = specialTokens(withDefaults(defaults.options));
  if (encoder && typeof start !== "number")
    throw new OptionError(`score: ${defaults.file} must give a decoder_start_token_id from 0 to ${V - 1}`);
  const prompts = read?.ids ?? targets.map(() => [start as number]);
  const fed = prompts.map((ids, b) => [...ids, ...targets[b]].slice(0, -1));
  const long = fed.findIndex(({ length }) => length > decoder.P);
  if (long >= 0)
    throw new InputError(
      `score: a prompt with its targets must have at most ${decoder.P + 1} tokens, row ${long} has ${fed[long].length + 1}; shorten it`,
    );
  const results = await forward(core, { targets: fed, sources, vectors: read?.vectors }, { logits: true });
  return targets.map((ids, b) => {
    const first = prompts[b].length - 1; // the row that predicts the first target
    const { logits } = results.targets[b];
    return ids.map((id, t) => logProbability(logits.subarray((first + t) * V, (first + t + 1) * V), id));
  });
}

function logProbability(logits: Float32Array, id: number): number {
  const top = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  return logits[id] - top - Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
}
