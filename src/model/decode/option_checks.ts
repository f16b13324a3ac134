import { OptionError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { type AllOptions, type GenerateOptions, namesOf, OPTIONS } from "./options.js";

// Fields of generation_config.json that change nothing here, and values of others that mean "off".
const INERT = /^(_from_model_config|transformers_version|use_cache|bos_token_id|return_dict_in_generate)$/;
const OFF: Readonly<Record<string, unknown>> = {
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  encoder_repetition_penalty: 1,
  encoder_no_repeat_ngram_size: 0,
  remove_invalid_values: false,
  output_attentions: false,
  output_hidden_states: false,
  output_logits: false,
};

const isOff = (key: string, value: unknown): boolean => INERT.test(key) || OFF[key] === value;

/** The options of a call that are set, each within its range. Throws OptionError naming the first that is not. */
export const checkCall = (given: GenerateOptions, V: number): GenerateOptions =>
  checked("generate", given, V, () => false);

/** The options of generation_config.json, those that mean "off" left out. Throws OptionError naming the file. */
export const checkDefaults = (given: Json, V: number): GenerateOptions =>
  checked("generation_config.json", given, V, isOff);

function checked(
  label: string,
  given: Readonly<Record<string, unknown>>,
  V: number,
  skip: (key: string, value: unknown) => boolean,
): GenerateOptions {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || skip(key, value)) continue;
    if (!Object.hasOwn(OPTIONS, key))
      throw new OptionError(`${label}: ${key} is not supported; supported are ${Object.keys(OPTIONS).join(", ")}`);
    const { rule } = OPTIONS[key as keyof GenerateOptions];
    if (!rule.holds(value, V)) {
      const words = rule.words.replace(/token ids?/, `$& from 0 to ${V - 1}`);
      throw new OptionError(`${label}: ${key} must be ${words}, got ${show(value)}`);
    }
    kept[key] = value;
  }
  return kept;
}

/** Throws OptionError for options that are good alone and not together. */
export function checkTogether(o: AllOptions, call: GenerateOptions): void {
  const { num_beams: beams, num_beam_groups: groups, num_return_sequences: returned, diversity_penalty } = o;
  if (o.do_sample && beams > 1)
    throw new OptionError(`generate: num_beams must be 1 with do_sample, got ${beams}; beams are searched, not drawn`);
  if (returned > beams && !o.do_sample)
    throw new OptionError(
      `generate: num_return_sequences must be at most num_beams=${beams}, got ${returned}; raise num_beams or set do_sample`,
    );
  if (beams % groups) throw new OptionError(`generate: num_beam_groups must divide num_beams=${beams}, got ${groups}`);
  if (groups > 1 !== diversity_penalty > 0)
    throw new OptionError(
      `generate: num_beam_groups above 1 and diversity_penalty above 0 go together, got ${groups} and ${diversity_penalty}`,
    );
  const stray = o.do_sample ? undefined : namesOf("sampling").find((name) => (call[name] ?? undefined) !== undefined);
  if (stray) throw new OptionError(`generate: ${stray} acts only with do_sample: true, which is not set`);
  if (o.stop_strings !== undefined && beams > 1)
    throw new OptionError(
      `generate: num_beams must be 1 with stop_strings, got ${beams}; use eos_token_id to end beams`,
    );
}
