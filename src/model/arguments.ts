import { checkNames } from "../runtime/checks.js";
import { InputError, OptionError } from "../runtime/errors.js";
import type { Core, DecoderCore } from "./core.js";
import type { Architecture, Stack } from "./graph/architecture.js";
import type { EncoderInput, ModelInputs, TokenLists, TokenRows } from "./inputs.js";
import { readSignals, SIGNALS } from "./signals.js";
import { readNumbersBeside, readSequences, type RowLimits, type Sequences } from "./sequences.js";

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
export interface ForwardInputs extends EncodeInputs {
  /** Token ids of the targets; encoder-decoders need them. */
  readonly decoder_input_ids?: TokenRows;
  /** 1 for a token of the targets, 0 for padding on the left or on the right of a row. Default: all 1. */
  readonly decoder_attention_mask?: TokenRows;
}

const PROMPTS = ["input_ids", "attention_mask", ...SIGNALS];
const ENCODED = [...PROMPTS, "token_type_ids", "position_ids"];
const TARGETS = ["decoder_input_ids", "decoder_attention_mask"];

// The names of inputs that each call takes.
const INPUTS = {
  encode: ENCODED,
  forward: [...ENCODED, ...TARGETS],
  generate: [...PROMPTS, "position_ids", ...TARGETS, "past_key_values"],
  decoder: PROMPTS,
  score: PROMPTS,
  past: ["input_ids", "attention_mask"],
} as const;

const CURES: Readonly<Record<string, string>> = {
  inputs_embeds: "give input_ids",
  past_key_values: "generate() takes it",
  labels: "score() gives log-probabilities",
  token_type_ids: "encode() takes it; leave it out",
  position_ids: "positions count the tokens of each row; leave it out",
};

/** Throws InputError for inputs that the call does not take, with the nearest that it does. */
export const checkInputs = (call: keyof typeof INPUTS, inputs: unknown): void =>
  checkNames(InputError, call, inputs, INPUTS[call], CURES);

/**
 * Checks token rows as `readSequences` does: `input_ids` against the encoder if there is one, all others against the
 * decoder.
 */
export function readRows(
  architecture: Architecture,
  name: string,
  ids: unknown,
  mask?: unknown,
  limits: Partial<RowLimits> = {},
): Sequences {
  const encoder = name === "input_ids" ? architecture.encoder : undefined;
  const { P, V = architecture.V } = (encoder ?? architecture.decoder) as Stack;
  return readSequences(name, ids, mask, { V, P, ...limits });
}

/** The targets of a call to an encoder-decoder. Throws InputError. */
export function readTargets(
  architecture: Architecture,
  { decoder_input_ids, decoder_attention_mask }: ForwardInputs,
): Sequences {
  return readRows(architecture, "decoder_input_ids", decoder_input_ids, decoder_attention_mask, {
    maskName: "decoder_attention_mask",
  });
}

/** The sequences that an encoder reads, and the caller's rows that they come from. */
export interface Sources {
  readonly rows: Sequences;
  readonly sources: readonly EncoderInput[];
}

/**
 * Checks what an encoder takes. Tokens around a hole in the mask keep their distance. Throws InputError, also for holes
 * in models whose positions depend on the padding token (RoBERTa) or that have none (T5).
 */
export function readSources(architecture: Architecture, inputs: EncodeInputs | undefined): Sources {
  const { P, positionShift = 0, segments: kinds = 1, biased, unplaced, stem } = architecture.encoder as Stack;
  if (stem) return readSignals(architecture.family, stem, inputs ?? {});
  for (const name of SIGNALS)
    if (inputs?.[name] !== undefined)
      throw new InputError(`${name}: must be absent, ${architecture.family} reads no signals; give input_ids`);
  const holes = positionShift || biased ? undefined : "keep";
  const rows = readRows(architecture, "input_ids", inputs?.input_ids, inputs?.attention_mask, { holes });
  const { token_type_ids, position_ids } = inputs ?? {};
  const segments = readNumbersBeside(rows, { name: "token_type_ids", rows: token_type_ids, least: 0, most: kinds - 1 });
  if (biased && position_ids !== undefined)
    throw new InputError(`position_ids: must be absent, ${architecture.family} has no positions; leave them out`);
  const bounds = { least: positionShift, most: positionShift + P - 1 };
  const given = readNumbersBeside(rows, { name: "position_ids", rows: position_ids, ...bounds });
  const positions = (given ?? placesOf(rows, unplaced)).map((own) => {
    const first = given ? positionShift : own[0];
    return own.some((place, t) => place - first !== t) ? own.map((place) => place - first) : undefined;
  });
  return { rows, sources: rows.ids.map((ids, b) => ({ ids, segments: segments?.[b], positions: positions[b] })) };
}

/** The place of each token in its row, where all count but those with the id `unplaced`. */
function placesOf({ columns, given }: Sequences, unplaced: number | undefined): TokenLists {
  if (unplaced === undefined) return columns;
  return given.map((row, b) => {
    let count = 0;
    const places = row.map((id) => (id === unplaced ? count : count++));
    return columns[b].map((column) => places[column]);
  });
}

/**
 * Checks the prompts of a decoder-only model. With `holes: "drop"`, what the mask leaves out between tokens is left out
 * as Transformers' `generate()` does it. Throws InputError.
 */
export function readPrompts(
  architecture: Architecture,
  inputs: EncodeInputs | undefined,
  limits: Partial<RowLimits> = {},
): Sequences {
  const rows = readRows(architecture, "input_ids", inputs?.input_ids, inputs?.attention_mask, limits);
  const most = (architecture.decoder as Stack).P - 1;
  const positions = readNumbersBeside(rows, { name: "position_ids", rows: inputs?.position_ids, least: 0, most });
  positions?.forEach((own, b) => {
    const bad = own.findIndex((position, t) => position !== t);
    if (bad >= 0)
      throw new InputError(
        `position_ids: must count a row's own tokens from 0, row ${b} has ${own[bad]} for token ${bad}; leave them out`,
      );
  });
  return rows;
}

/** The ids that `score()` reads before its targets: sources, or prompts. Throws InputError. */
export const readIds = (architecture: Architecture, inputs: ModelInputs | undefined): TokenLists =>
  readRows(architecture, "input_ids", inputs?.input_ids, inputs?.attention_mask, {
    holes: architecture.encoder ? undefined : "drop",
  }).ids;

/** Throws InputError for a model without an encoder. */
export function checkEncoder(call: string, { encoder, family }: Architecture): void {
  if (!encoder)
    throw new InputError(
      `${call}: must be called on a model with an encoder, ${family} has none; use forward() or generate()`,
    );
}

/** The core of a model that has a decoder. Throws InputError for other models. */
export function decoderCore(call: string, core: Core): DecoderCore {
  const { decoder, family } = core.architecture;
  if (decoder) return core as DecoderCore;
  throw new InputError(
    `${call}: must be called on a model with a decoder, ${family} has none; use forward() or encode()`,
  );
}

/** Throws InputError or OptionError for arguments of `forward()` that this kind of model does not take. */
export function checkForward(
  { encoder, decoder, family }: Architecture,
  inputs: ForwardInputs | undefined,
  options: object,
): void {
  const given = (of: object = {}): string[] =>
    Object.entries(of).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const target = given(inputs).find((name) => TARGETS.includes(name));
  if (!(encoder && decoder) && target)
    throw new InputError(`forward: ${target} must be absent, ${family} is no encoder-decoder; give input_ids`);
  if (!decoder) return;
  if (inputs?.token_type_ids !== undefined)
    throw new InputError(`forward: token_type_ids must be absent, ${family} has a decoder; encode() takes it`);
  const [stray] = given(options);
  if (stray) throw new OptionError(`forward: ${stray} must be absent, ${family} has a decoder; encode() takes it`);
  if (encoder && inputs?.decoder_input_ids === undefined)
    throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
}
