import { checkNames } from "../runtime/checks.js";
import { InputError, OptionError } from "../runtime/errors.js";
import type { Core, DecoderCore } from "./core.js";
import type { Architecture } from "./graph/architecture.js";
import type { ModelInputs, SourceInputs, TokenRows } from "./inputs.js";
import { SIGNALS } from "./signals.js";

/** What an encoder takes. */
export interface EncodeInputs extends ModelInputs {
  /** The segment of each token, for models with segments. Default: all 0. */
  readonly token_type_ids?: TokenRows;
  /**
   * The position of each token, as Transformers counts them: from 0, in RoBERTa from the padding token id + 1. Decoders
   * accept them if they count the tokens of each row from 0. Default: the places of the tokens after the first.
   */
  readonly position_ids?: TokenRows;
}

/** What `forward()` takes. */
export interface ForwardInputs extends EncodeInputs, SourceInputs {
  /** Token ids of the targets; encoder-decoders need them. */
  readonly decoder_input_ids?: TokenRows;
  /** 1 for a token of the targets, 0 for padding on the left or on the right of a row. Default: all 1. */
  readonly decoder_attention_mask?: TokenRows;
}

const PROMPTS = ["input_ids", ...SIGNALS, "inputs_embeds", "attention_mask"];
const SOURCES = [...PROMPTS, "encoder_outputs"];
/** The names of what an encoder takes. */
export const ENCODED = [...PROMPTS, "token_type_ids", "position_ids"];
const TARGETS = ["decoder_input_ids", "decoder_attention_mask"];

// The names of inputs that each call takes.
const INPUTS = {
  encode: ENCODED,
  forward: [...ENCODED, "encoder_outputs", ...TARGETS],
  generate: [...SOURCES, "position_ids", ...TARGETS, "past_key_values"],
  decoder: SOURCES,
  score: SOURCES,
  past: ["input_ids", "attention_mask"],
} as const;

const CURES: Readonly<Record<string, string>> = {
  inputs_embeds: "give input_ids",
  encoder_outputs: "decoder(), generate(), score() and forward() take it",
  past_key_values: "generate() takes it",
  labels: "score() gives log-probabilities",
  token_type_ids: "encode() takes it; leave it out",
  position_ids: "positions count the tokens of each row; leave it out",
};

/** Throws InputError for inputs that the call does not take, with the nearest that it does. */
export const checkInputs = (call: keyof typeof INPUTS, inputs: unknown): void =>
  checkNames(InputError, call, inputs, INPUTS[call], CURES);

/** Throws InputError for a model without an encoder. */
export function checkEncoder(call: string, { encoder, family }: Architecture): void {
  if (!encoder)
    throw new InputError(
      `${call}: must be called on a model with an encoder, ${family} has none; use forward() or generate()`,
    );
}

/** The core of a model that has a decoder. Throws InputError for other models. */
export function decoderCore(call: string, core: Core): DecoderCore {
  const { decoder, family, head } = core.architecture;
  if (decoder && head)
    throw new InputError(
      `${call}: must be called on a model with logits of next tokens, this ${family} has ${head.classifier ? "a classifier" : "none"}; use forward() or a task`,
    );
  if (decoder) return core as DecoderCore;
  throw new InputError(
    `${call}: must be called on a model with a decoder, ${family} has none; use forward() or encode()`,
  );
}

/** Throws InputError or OptionError for arguments of `forward()` that this kind of model does not take. */
export function checkForward(
  { encoder, decoder, family, head }: Architecture,
  inputs: ForwardInputs | undefined,
  options: object,
): void {
  const given = (of: object = {}): string[] =>
    Object.entries(of).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const target = given(inputs).find((name) => [...TARGETS, "encoder_outputs"].includes(name));
  if (!(encoder && decoder && !head) && target)
    throw new InputError(`forward: ${target} must be absent, ${family} is no encoder-decoder; give input_ids`);
  if (!decoder || head) return;
  if (inputs?.token_type_ids !== undefined)
    throw new InputError(`forward: token_type_ids must be absent, ${family} has a decoder; encode() takes it`);
  const stray = given(options).find((name) => !name.startsWith("output_"));
  if (stray) throw new OptionError(`forward: ${stray} must be absent, ${family} has a decoder; encode() takes it`);
  if (encoder && inputs?.decoder_input_ids === undefined)
    throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
}
