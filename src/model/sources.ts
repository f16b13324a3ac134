import { checkNames } from "../runtime/checks.js";
import { InputError } from "../runtime/errors.js";
import { type EncodeInputs, ENCODED, type ForwardInputs } from "./arguments.js";
import { type Architecture, memoryWidth, type Stack } from "./graph/architecture.js";
import {
  type EncoderInput,
  type ModelInputs,
  packSpans,
  type Source,
  type SourceInputs,
  type TokenLists,
  totalLength,
} from "./inputs.js";
import { readSignals, SIGNALS } from "./signals.js";
import { readNumbersBeside, readSequences, type RowLimits, type Sequences } from "./sequences.js";
import { readVectors, type VectorSequences } from "./vectors.js";

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
  const { encoder, decoder } = architecture;
  const { P, positionShift = 0, segments: kinds = 1, biased, unplaced, stem } = (encoder ?? decoder) as Stack;
  if (stem) return readSignals(architecture.family, stem, inputs ?? {});
  const holes = positionShift || biased || !encoder ? undefined : "keep";
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
