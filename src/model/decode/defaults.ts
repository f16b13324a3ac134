import { show } from "../../runtime/errors.js";
import type { Checkpoint, Json } from "../checkpoint/checkpoint.js";
import { type GenerateOptions, OPTIONS, ruleWords } from "./options.js";

/** A checkpoint's own options of `generate()`. */
export interface GenerationDefaults {
  /** The file that they come from: config.json where there is no generation_config.json. */
  readonly file: "generation_config.json" | "config.json";
  /** What holds where a call says nothing. */
  readonly options: GenerateOptions;
  /** Fields that were set aside, since they change nothing that is generated or cannot be used; each with the reason. */
  readonly setAside: Readonly<Record<string, string>>;
  /** Fields that would change what is generated and are not supported, each with the reason. A call must override them. */
  readonly unsupported: Readonly<Record<string, string>>;
}

/** Options of Transformers that are not supported, with the values at which they do nothing, besides null. */
export const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  constraints: [],
  dola_layers: [],
  encoder_no_repeat_ngram_size: [0],
  encoder_repetition_penalty: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  exponential_decay_length_penalty: [],
  force_words_ids: [],
  forced_decoder_ids: [],
  guidance_scale: [1],
  is_assistant: [false],
  max_time: [],
  penalty_alpha: [0],
  prompt_lookup_num_tokens: [],
  sequence_bias: [],
  token_healing: [false],
  top_h: [],
  typical_p: [1],
  use_mtp: [false],
  watermarking_config: [],
};

/** Whether an option that is not supported does nothing at this value, as at an empty list. */
export const isNeutral = (name: string, value: unknown): boolean =>
  NEUTRAL[name].includes(value) || (Array.isArray(value) && value.length === 0);

/** Options that act when tokens are drawn alone, besides those of the group `sampling`. */
export const DRAWING: readonly string[] = ["typical_p", "epsilon_cutoff", "eta_cutoff", "top_h"];

/** Options that no file switches on: our own, and what costs a pass of its own. */
const OWN = new Set([
  "seed",
  "presence_penalty",
  "logits_processor",
  "output_attentions",
  "top_logprobs",
  "search",
  "patience",
  "coverage_penalty",
  "return_alternatives",
  "min_alternative_expansion_prob",
]);

/** What the configuration classes of Transformers fill in where config.json has no such field. */
const FILLED_IN: Readonly<Record<string, Json>> = {
  bart: { decoder_start_token_id: 2, pad_token_id: 1, bos_token_id: 0, eos_token_id: 2, forced_eos_token_id: 2 },
  gpt2: { bos_token_id: 50256, eos_token_id: 50256 },
  llama: { bos_token_id: 1, eos_token_id: 2 },
  t5: { pad_token_id: 0, eos_token_id: 1 },
  mt5: { decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1 },
  umt5: { decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1 },
  m2m_100: { decoder_start_token_id: 2, pad_token_id: 1, bos_token_id: 0, eos_token_id: 2 },
  marian: { decoder_start_token_id: 58100, pad_token_id: 58100, eos_token_id: 0, forced_eos_token_id: 0 },
  mbart: { pad_token_id: 1, bos_token_id: 0, eos_token_id: 2, forced_eos_token_id: 2 },
  whisper: {
    decoder_start_token_id: 50257,
    pad_token_id: 50256,
    bos_token_id: 50256,
    eos_token_id: 50256,
    begin_suppress_tokens: [220, 50256],
  },
  pegasus: { decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1, forced_eos_token_id: 1 },
};

/**
 * The options of generation_config.json or, where it is absent, those in config.json, as Transformers reads them. V is
 * the size of the vocabulary, P the number of positions. Nothing is thrown: a file's options fail no call that overrides
 * them.
 */
export function readDefaults(
  { config, generationConfig }: Pick<Checkpoint, "config" | "generationConfig">,
  V: number,
  P: number,
): GenerationDefaults {
  const options: Record<string, unknown> = {};
  const setAside: Record<string, string> = {};
  const unsupported: Record<string, string> = {};
  for (const [name, value] of Object.entries(generationConfig ?? legacyFields(config))) {
    if (value === null || value === undefined) continue;
    if (Object.hasOwn(NEUTRAL, name)) {
      if (isNeutral(name, value)) setAside[name] = `${show(value)} does nothing`;
      else unsupported[name] = `is not supported, got ${show(value)}`;
    } else if (!Object.hasOwn(OPTIONS, name)) setAside[name] = "is no option that changes what is generated";
    else if (OWN.has(name)) setAside[name] = "is an option of calls alone";
    else {
      const kept = usable(name as keyof GenerateOptions, value, V, P);
      if (kept !== value)
        setAside[name] =
          `${show(value)} is not ${kept === undefined ? "used" : "used in full"}: ${limitOf(name, V, P)}`;
      if (kept === undefined) continue;
      if (OPTIONS[name as keyof GenerateOptions].rule.holds(kept, V)) options[name] = kept;
      else unsupported[name] = `must be ${ruleWords(name as keyof GenerateOptions, V)}, got ${show(value)}`;
    }
  }
  return { file: generationConfig ? "generation_config.json" : "config.json", options, setAside, unsupported };
}

const limitOf = (name: string, V: number, P: number): string =>
  name === "max_length" ? `there are ${P} positions` : `token ids go from 0 to ${V - 1}`;

/** The fields of config.json that are options of generation. */
export function legacyFields(config: Json): Json {
  const filled = { ...FILLED_IN[String(config.model_type)], ...config };
  return Object.fromEntries(
    Object.entries(filled).filter(
      ([name]) => Object.hasOwn(NEUTRAL, name) || (Object.hasOwn(OPTIONS, name) && !OWN.has(name)),
    ),
  );
}

/** What of a value can be used: no more positions than there are, no ids that the vocabulary has not; undefined if nothing. */
function usable(name: keyof GenerateOptions, value: unknown, V: number, P: number): unknown {
  if (name === "max_length") return typeof value === "number" && value > P + 1 ? P : value;
  if (OPTIONS[name].group !== "tokens") return value;
  const foreign = (id: unknown): boolean => Number.isInteger(id) && ((id as number) < 0 || (id as number) >= V);
  if (foreign(value)) return undefined;
  if (!Array.isArray(value)) return value;
  const own = value.filter((item) => !(foreign(item) || (Array.isArray(item) && item.some(foreign))));
  if (own.length === 0) return name === "eos_token_id" || value.length > 0 ? undefined : value;
  return own.length < value.length ? own : value;
}
