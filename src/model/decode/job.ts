import { InputError, show } from "../../runtime/errors.js";
import {
  checkInputs,
  type EncodeInputs,
  type ForwardInputs,
  readPrompts,
  readSources,
  readTargets,
} from "../arguments.js";
import type { DecoderCore } from "../core.js";
import { checkRowCount, longest } from "../inputs.js";
import type { RowLimits } from "../sequences.js";
import type { Job } from "./batch.js";
import type { PastKeyValues } from "./past.js";

/** What to generate from: prompts, the sources of an encoder-decoder, or a past. */
export interface GenerateInputs extends Partial<Omit<ForwardInputs, "token_type_ids">> {
  /** Decoder-only models: sequences to continue, followed by `input_ids` if given. They are not changed. */
  readonly past_key_values?: PastKeyValues;
}

/** A job from its inputs alone: without prompts where these are the start token, which depends on options. */
export type ReadJob = Omit<Job, "prompts"> & { readonly prompts?: Job["prompts"]; readonly width: number };

/**
 * Checks the inputs of a call. In prompts of a decoder-only model without a mask, `pad` is padding wherever it stands.
 * Throws InputError.
 */
export function readJob(
  core: DecoderCore,
  inputs: GenerateInputs | undefined,
  limits: Pick<RowLimits, "pad"> = {},
): ReadJob {
  const { architecture } = core;
  checkInputs("generate", inputs);
  const past = inputs?.past_key_values;
  if (past !== undefined) return readContinuation(core, past, inputs);
  const begun = inputs?.decoder_input_ids ?? inputs?.decoder_attention_mask;
  if (!architecture.encoder) {
    if (begun !== undefined)
      throw new InputError(
        `generate: decoder_input_ids must be absent, ${architecture.family} has no encoder; begin input_ids with them`,
      );
    const { ids, masked, width } = readPrompts(architecture, inputs as EncodeInputs, { ...limits, holes: "drop" });
    return { prompts: ids, padding: masked.map(uniform), width };
  }
  const { sources } = readSources(architecture, inputs as EncodeInputs);
  if (begun === undefined) return { sources, width: 1 };
  const targets = readTargets(architecture, inputs as ForwardInputs);
  checkRowCount("decoder_input_ids", targets.ids, "input_ids", sources.length);
  return { prompts: targets.ids, padding: targets.masked.map(uniform), sources, width: targets.width };
}

const uniform = (ids: readonly number[]): readonly number[] => (ids.every((id) => id === ids[0]) ? ids : []);

function readContinuation(core: DecoderCore, past: PastKeyValues, inputs: GenerateInputs | undefined): ReadJob {
  if (typeof past?.check !== "function")
    throw new InputError(`generate: past_key_values must come from past(), got ${show(past)}`);
  past.check(core);
  const { input_ids, attention_mask, position_ids, decoder_input_ids } = inputs as ForwardInputs;
  const rows = { input_ids, attention_mask };
  const more = input_ids === undefined ? undefined : readPrompts(core.architecture, rows, { holes: "drop" }).ids;
  const stray = { position_ids, attention_mask: more ? undefined : attention_mask, decoder_input_ids };
  const bad = Object.entries(stray).find(([, value]) => value !== undefined);
  if (bad) throw new InputError(`generate: ${bad[0]} must be absent with these past_key_values; leave it out`);
  if (more) checkRowCount("input_ids", more, "past_key_values", past.ids.length);
  const prompts = past.ids.map((ids, b) => [...ids, ...(more?.[b] ?? [])]);
  const empty = prompts.findIndex(({ length }) => length === 0);
  if (empty >= 0)
    throw new InputError(
      `generate: row ${empty} of past_key_values must hold at least one token; append some or give input_ids`,
    );
  return { prompts, past, width: longest(prompts) };
}
