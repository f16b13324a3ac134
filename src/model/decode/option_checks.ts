import { checkNames } from "../../runtime/checks.js";
import { OptionError, show } from "../../runtime/errors.js";
import { plainLists } from "../lists.js";
import { DRAWING, type GenerationDefaults, isNeutral, NEUTRAL } from "./defaults.js";
import { type AllOptions, type GenerateOptions, namesOf, OPTIONS, ruleWords, withDefaults } from "./options.js";

/** The names of all options of `generate()`. */
export const GENERATE_OPTIONS: readonly string[] = [...Object.keys(OPTIONS), ...Object.keys(NEUTRAL)];

/**
 * The options of a call, filled up with those of its checkpoint and with the defaults. Throws OptionError for an unknown
 * option, a value outside its range, options that do not fit together, and what the checkpoint asks for that is not
 * supported, unless the call overrides it.
 */
export function mergeOptions(call: GenerateOptions, defaults: GenerationDefaults, V: number): AllOptions {
  const given = checkCall(call, V);
  const merged = withDefaults({ ...defaults.options, ...given, ...(given.search === "opennmt" && opennmt(given)) });
  for (const [name, reason] of Object.entries(defaults.unsupported)) {
    if (isGiven(call, name) || !acts(name, merged)) continue;
    throw new OptionError(`${defaults.file}: ${name} ${reason}; give ${name} in the call, null switches it off`);
  }
  checkTogether(merged, given);
  return merged;
}

/** How many hypotheses of a prompt a search keeps. */
export const hypothesesOf = ({ num_beams, patience }: AllOptions): number =>
  Math.max(1, Math.round(num_beams * patience));

/** The options of OpenNMT's search: a checkpoint's penalty and stopping are those of Transformers'. */
const opennmt = ({ length_penalty }: GenerateOptions): GenerateOptions => ({
  length_penalty: length_penalty ?? 0,
  early_stopping: false,
});

/** Whether an option of the checkpoint would have a say beside the other options. */
function acts(name: string, { num_beams, search, max_new_tokens, min_new_tokens, do_sample }: AllOptions): boolean {
  if (DRAWING.includes(name) || (namesOf("sampling") as string[]).includes(name)) return do_sample;
  if ((BEAMS_ONLY as readonly string[]).includes(name)) return num_beams > 1 && search === "transformers";
  if (name === "max_length") return max_new_tokens === undefined;
  return name !== "min_length" || min_new_tokens === undefined;
}

const BEAMS_ONLY = ["search", "length_penalty", "coverage_penalty", "early_stopping", "patience"] as const;

const isGiven = (call: object, name: string): boolean => (call as Record<string, unknown>)[name] !== undefined;

/** The options of a call that are set, each within its range, null among them. Throws OptionError naming the first that is not. */
function checkCall(call: GenerateOptions, V: number): GenerateOptions {
  checkNames(OptionError, "generate", call, GENERATE_OPTIONS);
  const given: Record<string, unknown> = {};
  for (const [key, own] of Object.entries(call) as [keyof GenerateOptions, unknown][]) {
    if (own === undefined) continue;
    if (Object.hasOwn(NEUTRAL, key)) {
      if (own === null || isNeutral(key, own)) continue;
      throw new OptionError(`generate: ${key} is not supported, got ${show(own)}; leave it out`);
    }
    const value = OPTIONS[key].group === "tokens" ? plainLists(own) : own;
    if (value !== null && !OPTIONS[key].rule.holds(value, V))
      throw new OptionError(`generate: ${key} must be ${ruleWords(key, V)}, got ${show(value)}`);
    given[key] = value;
  }
  return given;
}

/** Throws OptionError for options that do not fit together. `call` has those that were given in the call itself. */
function checkTogether(o: AllOptions, call: GenerateOptions): void {
  const { num_beams: beams, num_beam_groups: groups, num_return_sequences: returned, diversity_penalty } = o;
  if (o.do_sample && beams > 1)
    throw new OptionError(`generate: num_beams must be 1 with do_sample, got ${beams}; beams are searched, not drawn`);
  if (returned > beams && !o.do_sample && !o.return_alternatives)
    throw new OptionError(
      `generate: num_return_sequences must be at most num_beams=${beams}, got ${returned}; raise num_beams or set do_sample`,
    );
  if (beams > 1 && returned > hypothesesOf(o) && !o.return_alternatives)
    throw new OptionError(
      `generate: num_return_sequences must be at most ${hypothesesOf(o)} with num_beams=${beams} and patience=${o.patience}, got ${returned}; raise patience`,
    );
  if (o.patience !== 1 && (groups > 1 || o.search === "opennmt"))
    throw new OptionError(
      `generate: patience acts only with search: "transformers" and num_beam_groups 1, got ${o.search} and ${groups}; leave it out`,
    );
  if (beams % groups) throw new OptionError(`generate: num_beam_groups must divide num_beams=${beams}, got ${groups}`);
  if (groups > 1 !== diversity_penalty > 0)
    throw new OptionError(
      `generate: num_beam_groups above 1 and diversity_penalty above 0 go together, got ${groups} and ${diversity_penalty}`,
    );
  const given = (name: keyof GenerateOptions): boolean => (call[name] ?? undefined) !== undefined;
  checkAlternatives(o);
  const stray = o.do_sample ? undefined : namesOf("sampling").find(given);
  if (stray) throw new OptionError(`generate: ${stray} acts only with do_sample: true, which is not set`);
  const beamless = BEAMS_ONLY.find((name) => beams === 1 && given(name) && call[name] !== OPTIONS[name].default);
  if (beamless) throw new OptionError(`generate: ${beamless} acts only with num_beams above 1, which is 1`);
  if (o.search === "opennmt") checkOpenNMT(o, call);
  else if (o.coverage_penalty > 0 && beams > 1)
    throw new OptionError('generate: coverage_penalty acts only with search: "opennmt", which is not set');
  const missing = (["no_timestamps_token_id", "eos_token_id"] as const).find((name) => o[name] === undefined);
  if (o.return_timestamps && missing)
    throw new OptionError(
      `generate: return_timestamps must be false without ${missing}; Whisper's generation_config.json has it, or give it`,
    );
  if (o.stop_strings !== undefined && beams > 1)
    throw new OptionError(
      `generate: num_beams must be 1 with stop_strings, got ${beams}; use eos_token_id to end beams`,
    );
}

/** Throws OptionError for what OpenNMT's search has not. */
function checkOpenNMT({ num_beam_groups }: AllOptions, { early_stopping }: GenerateOptions): void {
  if (num_beam_groups > 1)
    throw new OptionError(
      `generate: num_beam_groups must be 1 with search: "opennmt", got ${num_beam_groups}; groups are of "transformers"`,
    );
  if (early_stopping)
    throw new OptionError(
      'generate: early_stopping acts only with search: "transformers"; "opennmt" ends when all beams have ended',
    );
}

/** Throws OptionError for options that do not fit together with alternatives. */
function checkAlternatives(o: AllOptions): void {
  if (!o.return_alternatives && o.min_alternative_expansion_prob > 0)
    throw new OptionError(
      "generate: min_alternative_expansion_prob acts only with return_alternatives: true, which is not set",
    );
  const others = {
    do_sample: o.do_sample,
    num_beam_groups: o.num_beam_groups > 1,
    coverage_penalty: o.coverage_penalty > 0,
    stop_strings: o.stop_strings,
  };
  const stray = Object.entries(others).find(([, value]) => value)?.[0];
  if (o.return_alternatives && stray)
    throw new OptionError(`generate: ${stray} must be absent with return_alternatives, which searches by itself`);
}
