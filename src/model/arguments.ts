import { InputError, OptionError } from "../runtime/errors.js";
import type { Core, DecoderCore } from "./core.js";
import type { Architecture, Stack } from "./graph/architecture.js";
import { type ModelInputs, readSequences, type Sequences, type TokenRows } from "./inputs.js";

/** What an encoder takes. */
export interface EncodeInputs extends ModelInputs {
  /** Segment of each token, for models with segments; 0 when absent. */
  readonly token_type_ids?: TokenRows;
}

/** What `forward()` takes. */
export interface ForwardInputs extends EncodeInputs {
  /** The targets of an encoder-decoder. */
  readonly decoder_input_ids?: TokenRows;
  /** Accepted where they are what the mask says: positions count a row's own tokens from 0. */
  readonly position_ids?: TokenRows;
}

/** Checks token rows as `readSequences` does: `input_ids` are for the encoder where there is one, all others for the decoder. */
export function readRows(a: Architecture, name: string, ids: unknown, mask?: unknown): Sequences {
  const encoder = name === "input_ids" ? a.encoder : undefined;
  const { P } = (encoder ?? a.decoder) as Stack;
  return readSequences(name, ids, mask, a.V, P);
}

/** Checks the inputs of a model. */
export const readInputs = (a: Architecture, inputs: ModelInputs | undefined): Sequences =>
  readRows(a, "input_ids", inputs?.input_ids, inputs?.attention_mask);

/** Throws InputError for a model without an encoder. */
export function checkEncoder(call: string, { encoder, family }: Architecture): void {
  if (!encoder)
    throw new InputError(
      `${call}: must be called on a model with an encoder, ${family} has none; use forward() or generate()`,
    );
}

/** The parts of a model that generates. Throws InputError for one without a decoder. */
export function decoderCore(call: string, core: Core): DecoderCore {
  const { decoder, family } = core.architecture;
  if (decoder) return core as DecoderCore;
  throw new InputError(
    `${call}: must be called on a model with a decoder, ${family} has none; use forward() or encode()`,
  );
}

/** Throws InputError or OptionError for arguments of `forward()` that this kind of model does not take. */
export function checkForward(a: Architecture, inputs: ForwardInputs, rows: Sequences, options: object): void {
  const { token_type_ids, decoder_input_ids, position_ids } = inputs;
  checkPositions(position_ids, rows);
  if (!(a.encoder && a.decoder) && decoder_input_ids !== undefined)
    throw new InputError(
      `forward: decoder_input_ids must be absent, ${a.family} is no encoder-decoder; give input_ids`,
    );
  if (!a.decoder) return;
  const stray = [...Object.keys(options), ...(token_type_ids === undefined ? [] : ["token_type_ids"])];
  if (stray.length)
    throw new OptionError(`forward: ${stray[0]} must be absent, ${a.family} has a decoder; encode() takes it`);
  if (a.encoder && decoder_input_ids === undefined)
    throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
}

/** Throws InputError unless positions count a row's own tokens from 0, as ours do. */
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
