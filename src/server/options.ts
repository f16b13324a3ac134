import type { GenerationDefaults, TextOptions } from "../index.js";
import { namesOf } from "../model/decode/options.js";
import { ANY, type Fields } from "./fields.js";
import type { Rule } from "../runtime/checks.js";

// What fields of the API say under names of their own, or what a request has no use for.
const ELSEWHERE: ReadonlySet<string> = new Set([
  "num_return_sequences",
  "do_sample",
  "temperature",
  "top_p",
  "seed",
  "presence_penalty",
  "max_length",
  "max_new_tokens",
  "pad_token_id",
  "no_timestamps_token_id",
  "max_initial_timestamp_index",
  "return_alternatives",
  "min_alternative_expansion_prob",
]);

const names = (["search", "length", "penalties", "tokens", "sampling"] as const)
  .flatMap(namesOf)
  .filter((name) => !ELSEWHERE.has(name));

/** Options of `generate()` that a request may give under their own names, which `generate()` checks. */
export const EXTENSIONS: Readonly<Record<string, Rule>> = Object.fromEntries(names.map((name) => [name, ANY]));

/** The fields of these names that are there. */
const pick = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));

/**
 * The options of `generate()` that fields stand for. Tokens are drawn, at temperature 1 where neither the request nor the
 * checkpoint says another, unless the request asks for beams or temperature 0, or the model has an encoder: then it is as
 * its checkpoint says.
 */
export function optionsOf(fields: Fields, { options: usual }: GenerationDefaults, encodes: boolean): TextOptions {
  const { temperature, n } = fields;
  const stops = [fields.stop ?? []].flat();
  const sampling = pick(fields, namesOf("sampling"));
  const beams = fields.num_beams ?? (temperature ? 1 : usual.num_beams) ?? 1;
  const otherwise = encodes || beams !== 1 ? usual.do_sample : true;
  const draws = temperature === undefined ? otherwise : temperature !== 0;
  return {
    ...pick(
      fields,
      [...Object.keys(EXTENSIONS), "presence_penalty"].filter((name) => !Object.hasOwn(sampling, name)),
    ),
    ...(temperature !== undefined && { num_beams: beams }),
    do_sample: draws,
    ...(temperature !== 0 && sampling), // at 0 the best token is taken, whatever else is said about drawing
    ...(draws && {
      temperature: temperature ?? usual.temperature ?? 1,
      top_k: fields.top_k ?? usual.top_k ?? 0,
    }),
    num_return_sequences: n,
    ...(stops.length && { stop_strings: stops }),
  } as TextOptions;
}
