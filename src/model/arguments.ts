import { InputError, OptionError } from "../runtime/errors.js";
import type { Core, DecoderCore } from "./core.js";
import type { Architecture, Stack } from "./graph/architecture.js";
import { type ModelInputs, readSequences, type Sequences, type TokenRows } from "./inputs.js";

/** What an encoder takes. */
export interface EncodeInputs extends ModelInputs {
  /** The segment of each token, for models with segments. Default: all 0. */
  readonly token_type_ids?: TokenRows;
}

/** What `forward()` takes. */
export interface ForwardInputs extends EncodeInputs {
  /** Token ids of the targets; encoder-decoders need them. */
  readonly decoder_input_ids?: TokenRows;
  /** Accepted if they agree with the mask: positions must count the tokens of each row from 0. */
  readonly position_ids?: TokenRows;
}

/**
 * Checks token rows as `readSequences` does: `input_ids` against the encoder if there is one, all others against the
 * decoder.
 */
export function readRows(architecture: Architecture, name: string, ids: unknown, mask?: unknown): Sequences {
  const encoder = name === "input_ids" ? architecture.encoder : undefined;
  const { P } = (encoder ?? architecture.decoder) as Stack;
  return readSequences(name, ids, mask, architecture.V, P);
}

/** Checks the `input_ids` of a call and their mask. Throws InputError. */
export const readInputs = (architecture: Architecture, inputs: ModelInputs | undefined): Sequences =>
  readRows(architecture, "input_ids", inputs?.input_ids, inputs?.attention_mask);

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
  architecture: Architecture,
  inputs: ForwardInputs,
  rows: Sequences,
  options: object,
): void {
  const { token_type_ids, decoder_input_ids, position_ids } = inputs;
  checkPositions(position_ids, rows);
  if (!(architecture.encoder && architecture.decoder) && decoder_input_ids !== undefined)
    throw new InputError(
      `forward: decoder_input_ids must be absent, ${architecture.family} is no encoder-decoder; give input_ids`,
    );
  if (!architecture.decoder) return;
  const stray = [...Object.keys(options), ...(token_type_ids === undefined ? [] : ["token_type_ids"])];
  if (stray.length)
    throw new OptionError(
      `forward: ${stray[0]} must be absent, ${architecture.family} has a decoder; encode() takes it`,
    );
  if (architecture.encoder && decoder_input_ids === undefined)
    throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
}

/** Throws InputError unless the positions count the tokens of each row from 0. */
function checkPositions(positions: TokenRows | undefined, { ids, offsets }: Sequences): void {
  if (positions === undefined) return;
  ids.forEach((row, b) => {
    const bad = row.findIndex((_, t) => Number(positions[b]?.[offsets[b] + t]) !== t);
    if (bad >= 0)
      throw new InputError(
        `position_ids: must count a row's own tokens from 0, row ${b} has ${positions[b]?.[offsets[b] + bad]} for token ${bad}; leave them out`,
      );
  });
}
