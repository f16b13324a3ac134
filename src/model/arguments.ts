import { checkNames } from "../runtime/checks.js";
import { InputError, OptionError } from "../runtime/errors.js";
import type { Core, DecoderCore } from "./core.js";
import { type Architecture, memoryWidth, type Stack } from "./graph/architecture.js";
import {
  type EncoderInput,
  type ModelInputs,
  packSpans,
  type Source,
  type SourceInputs,
  type TokenLists,
  type TokenRows,
  totalLength,
} from "./inputs.js";
import { readSignals, SIGNALS } from "./signals.js";
import { readNumbersBeside, readSequences, type RowLimits, type Sequences } from "./sequences.js";
import { readVectors, type VectorSequences } from "./vectors.js";

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
const ENCODED = [...PROMPTS, "token_type_ids", "position_ids"];
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

/** The sequences of a call, and the caller's rows that they come from. */
export interface Sources<S = EncoderInput> {
  readonly rows: Sequences;
  readonly sources: readonly S[];
}

/** Throws InputError when any of these inputs is given beside the one called `name`. */
function checkAlone(name: string, beside: Readonly<Record<string, unknown>>): void {
  const stray = Object.keys(beside).find((key) => beside[key] !== undefined);
  if (stray) throw new InputError(`${stray}: must be absent with ${name}; leave out one of them`);
}

/** The rows of `input_ids`, or those of `inputs_embeds` with their vectors. */
function readInputs(
  architecture: Architecture,
  { input_ids, inputs_embeds, attention_mask, ...others }: ModelInputs,
  limits: Partial<RowLimits>,
): Sequences & Partial<VectorSequences> {
  const signal = SIGNALS.find((name) => others[name] !== undefined);
  if (signal)
    throw new InputError(`${signal}: must be absent, ${architecture.family} reads no signals; give input_ids`);
  if (inputs_embeds === undefined) return readRows(architecture, "input_ids", input_ids, attention_mask, limits);
  checkAlone("inputs_embeds", { input_ids });
  const { P } = (architecture.encoder ?? architecture.decoder) as Stack;
  return readVectors("inputs_embeds", inputs_embeds, attention_mask, architecture.D, { P, holes: limits.holes });
}

/**
 * Checks what an encoder takes. Tokens around a hole in the mask keep their distance. Throws InputError, also for holes
 * in models whose positions depend on the padding token (RoBERTa) or that have none (T5).
 */
export function readSources(architecture: Architecture, inputs: EncodeInputs | undefined): Sources {
  const { P, positionShift = 0, segments: kinds = 1, biased, unplaced, stem } = architecture.encoder as Stack;
  if (stem) return readSignals(architecture.family, stem, inputs ?? {});
  const holes = positionShift || biased ? undefined : "keep";
  const rows = readInputs(architecture, inputs ?? {}, { holes });
  const { token_type_ids, position_ids } = inputs ?? {};
  const segments = readNumbersBeside(rows, { name: "token_type_ids", rows: token_type_ids, least: 0, most: kinds - 1 });
  if (biased && position_ids !== undefined)
    throw new InputError(`position_ids: must be absent, ${architecture.family} has no positions; leave them out`);
  const bounds = { least: positionShift, most: positionShift + P - 1 };
  const given = readNumbersBeside(rows, { name: "position_ids", rows: position_ids, ...bounds });
  const positions = (given ?? placesOf(rows, rows.vectors ? undefined : unplaced)).map((own) => {
    const first = given ? positionShift : own[0];
    return own.some((place, t) => place - first !== t) ? own.map((place) => place - first) : undefined;
  });
  const sources = rows.ids.map((ids, b) => {
    const features = rows.vectors?.[b];
    const beside = { segments: segments?.[b], positions: positions[b] };
    return features ? { features, length: ids.length, ...beside } : { ids, ...beside };
  });
  return { rows, sources };
}

// What encode() gives beside the last states, which decoders do not read.
const OTHER_OUTPUTS = ["hidden_states", "attentions", "pooler_output"];

/**
 * Checks what the decoder of an encoder-decoder attends to: what its encoder takes, or `encoder_outputs`. Throws
 * InputError.
 */
export function readAttended(
  architecture: Architecture,
  inputs: (EncodeInputs & SourceInputs) | undefined,
): Sources<Source> {
  const { encoder_outputs, attention_mask, ...others } = inputs ?? {};
  const [D, width] = [architecture.D, memoryWidth(architecture)];
  if (encoder_outputs === undefined) {
    if (width === D) return readSources(architecture, inputs);
    throw new InputError(
      `encoder_outputs: must be given, the decoder reads states of width ${width} and its own encoder's have ${D}`,
    );
  }
  const name = "encoder_outputs";
  const before = Object.entries(others).filter(([key]) => ENCODED.includes(key));
  checkAlone(name, Object.fromEntries(before));
  checkNames(InputError, name, encoder_outputs, ["last_hidden_state", "attention_mask", ...OTHER_OUTPUTS]);
  const { last_hidden_state, attention_mask: own } = encoder_outputs;
  if (own !== undefined) checkAlone("encoder_outputs.attention_mask", { attention_mask });
  const limits = { P: Infinity, holes: "drop" as const };
  const rows = readVectors(`${name}.last_hidden_state`, last_hidden_state, own ?? attention_mask, width, limits);
  return { rows, sources: rows.vectors.map((states, b) => ({ states, length: rows.ids[b].length })) };
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

/** The prompts of a decoder-only model. */
export interface Prompts extends Sequences {
  /** Vectors f32[N,D], if the prompts are such: their ids are V, V+1 and so on, in the order of the rows. */
  readonly vectors?: Float32Array<ArrayBuffer>;
}

/**
 * Checks the prompts of a decoder-only model. With `holes: "drop"`, what the mask leaves out between tokens is left out
 * as Transformers' `generate()` does it. Throws InputError.
 */
export function readPrompts(
  architecture: Architecture,
  inputs: (EncodeInputs & SourceInputs) | undefined,
  limits: Partial<RowLimits> = {},
): Prompts {
  if (inputs?.encoder_outputs !== undefined)
    throw new InputError(
      `encoder_outputs: must be absent, ${architecture.family} has no encoder; give input_ids or inputs_embeds`,
    );
  const { vectors, ...rows } = readInputs(architecture, inputs ?? {}, limits);
  const most = (architecture.decoder as Stack).P - 1;
  const positions = readNumbersBeside(rows, { name: "position_ids", rows: inputs?.position_ids, least: 0, most });
  positions?.forEach((own, b) => {
    const bad = own.findIndex((position, t) => position !== t);
    if (bad >= 0)
      throw new InputError(
        `position_ids: must count a row's own tokens from 0, row ${b} has ${own[bad]} for token ${bad}; leave them out`,
      );
  });
  return vectors ? numbered(rows, vectors, architecture) : rows;
}

/** Rows of vectors as prompts: the ids of their vectors follow those of the vocabulary. */
function numbered(rows: Sequences, own: readonly Float32Array[], { V, D }: Architecture): Prompts {
  const spans = packSpans(rows.ids);
  const vectors = new Float32Array(totalLength(rows.ids) * D);
  own.forEach((row, b) => vectors.set(row, spans[2 * b] * D));
  return { ...rows, ids: rows.ids.map((ids, b) => ids.map((_, t) => V + spans[2 * b] + t)), vectors };
}

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
  const target = given(inputs).find((name) => [...TARGETS, "encoder_outputs"].includes(name));
  if (!(encoder && decoder) && target)
    throw new InputError(`forward: ${target} must be absent, ${family} is no encoder-decoder; give input_ids`);
  if (!decoder) return;
  if (inputs?.token_type_ids !== undefined)
    throw new InputError(`forward: token_type_ids must be absent, ${family} has a decoder; encode() takes it`);
  const stray = given(options).find((name) => !name.startsWith("output_"));
  if (stray) throw new OptionError(`forward: ${stray} must be absent, ${family} has a decoder; encode() takes it`);
  if (encoder && inputs?.decoder_input_ids === undefined)
    throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
}
