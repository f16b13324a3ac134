import { InputError, OptionError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { DecoderCore } from "../core.js";
import { forward } from "./forward.js";
import type { Sequences } from "../inputs.js";

const plain = (ids: readonly (readonly number[])[]): Sequences => ({
  ids,
  offsets: ids.map(() => 0),
  pads: ids.map(() => []),
  width: Math.max(...ids.map(({ length }) => length)),
});

/** Log-probability of every target token given those before it and its prompt or source: one pass, no loop. */
export async function score(
  core: DecoderCore,
  defaults: Json,
  inputs: Sequences,
  targets: Sequences,
): Promise<number[][]> {
  const { architecture: a } = core;
  if (targets.ids.length !== inputs.ids.length)
    throw new InputError(`targets: must have the ${inputs.ids.length} rows of input_ids, got ${targets.ids.length}`);
  const start = defaults.decoder_start_token_id;
  if (a.encoder && typeof start !== "number")
    throw new OptionError("score: decoder_start_token_id must be in generation_config.json, it is not");
  const prompts = a.encoder ? targets.ids.map(() => [start as number]) : inputs.ids;
  const whole = plain(prompts.map((ids, b) => [...ids, ...targets.ids[b]].slice(0, -1)));
  const long = whole.ids.findIndex(({ length }) => length > a.decoder.P);
  if (long >= 0)
    throw new InputError(
      `score: a prompt with its targets must have at most ${a.decoder.P + 1} tokens, row ${long} has ${whole.ids[long].length + 1}; shorten it`,
    );
  const { logits } = await forward(core, whole, a.encoder && inputs);
  return targets.ids.map((ids, b) =>
    ids.map((id, t) => {
      const row = b * whole.width + prompts[b].length - 1 + t;
      const values = logits.data.subarray(row * a.V, (row + 1) * a.V);
      const top = values.reduce((most, value) => Math.max(most, value), -Infinity);
      return values[id] - top - Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
    }),
  );
}
