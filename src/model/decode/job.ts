import type { Lead } from "../../kernels/logits_process.js";
import { InputError, OptionError, show } from "../../runtime/errors.js";
import { checkInputs, type ForwardInputs } from "../arguments.js";
import type { DecoderCore } from "../core.js";
import { checkRowCount, longest, type Source, type TokenLists } from "../inputs.js";
import type { Places } from "../results.js";
import type { Sequences } from "../sequences.js";
import { readAttended, readPrompts, readTargets } from "../sources.js";
import type { PastKeyValues } from "./past.js";
import { oneEach, type SpecialOptions, specialTokens } from "./resolve.js";
import type { Link } from "./reports.js";

/** What the rules on scores see in place of the first tokens of a row. */
export type RowLead = Omit<Lead, "forced_bos">;

/** What to decode. */
export interface Job {
  /** The tokens that each target begins with, at least one. */
  readonly prompts: TokenLists;
  /** What the decoder attends to, one source for each prompt; those that are one object are encoded once. */
  readonly sources?: readonly Source[];
  /**
   * What the caller gave in place of the first tokens of each prompt, padding included. Rules on scores see it, as in
   * Transformers; the model does not.
   */
  readonly leads?: readonly RowLead[];
  /**
   * The last token of each prompt, if that is the first generated one: results begin with it, and it counts in their
   * scores and lengths.
   */
  readonly chosen?: readonly Pick<Link, "logProb" | "top">[];
  /** What may have read the first tokens of each prompt before. */
  readonly past?: PastKeyValues;
  /** f32[N,D]: what ids of the prompts from V on stand for. */
  readonly vectors?: Float32Array<ArrayBuffer>;
}

/** The tokens of each prompt; none where the prompts are vectors. */
export const tokensOf = ({ prompts, vectors }: Job): TokenLists => (vectors ? prompts.map(() => []) : prompts);

/** The rules see the tokens of a sentence as they are. */
export const NO_LEAD: RowLead = { ids: [], covered: 0 };

/** What to generate from: prompts, the sources of an encoder-decoder, or a past. */
export interface GenerateInputs extends Partial<Omit<ForwardInputs, "token_type_ids">> {
  /** Decoder-only models: sequences to continue, followed by `input_ids` if given. They are not changed. */
  readonly past_key_values?: PastKeyValues;
}

/** A job, and how its results begin. */
interface ReadJob {
  readonly job: Job;
  /** The rows as the caller gave them, up to their last tokens. */
  readonly given: TokenLists;
  /** The length of the longest row that the caller gave. */
  readonly width: number;
  /** Where the rows of the sources are in those that the caller gave. */
  readonly sourceRows?: Places;
}

/**
 * Checks the inputs of a call. In decoder-only models without a mask, the padding token is padding wherever it stands,
 * unless it also ends rows. Throws InputError, and OptionError without a start token.
 */
export function readJob(core: DecoderCore, inputs: GenerateInputs | undefined, options: SpecialOptions): ReadJob {
  const { architecture } = core;
  checkInputs("generate", inputs);
  const { pad, end, start } = specialTokens(options);
  const limits = { pad: pad !== undefined && end.includes(pad) ? undefined : pad };
  if (inputs?.past_key_values !== undefined) return readContinuation(core, inputs.past_key_values, inputs);
  const begun = inputs?.decoder_input_ids ?? inputs?.decoder_attention_mask;
  if (!architecture.encoder) {
    if (begun !== undefined)
      throw new InputError(
        `generate: decoder_input_ids must be absent, ${architecture.family} has no encoder; begin input_ids with them`,
      );
    const rows = readPrompts(architecture, inputs, { ...limits, holes: "drop" });
    const { ids: prompts, given, width, vectors } = rows;
    if (!vectors) return { job: { prompts, leads: leadsOf(rows, architecture.V) }, given, width };
    // Rules and results see nothing of vectors, as in Transformers.
    const leads = prompts.map(({ length }) => ({ ...NO_LEAD, covered: length }));
    return { job: { prompts, vectors, leads }, given: prompts.map(() => []), width };
  }
  const { sources, rows: sourceRows } = readAttended(architecture, inputs);
  if (start === undefined)
    throw new OptionError(
      "generate: decoder_start_token_id must be given, by the checkpoint or by the call; no such id is in the checkpoint's options that can be used",
    );
  const starts = oneEach("decoder_start_token_id", start, sources.length);
  if (begun === undefined) {
    const prompts = starts.map((id) => [id]);
    return { job: { prompts, sources }, given: prompts, width: 1, sourceRows };
  }
  const given = readTargets(architecture, inputs as ForwardInputs);
  checkRowCount("decoder_input_ids", given.ids, "the sources", sources.length);
  const targets = begunWith(starts, given);
  const job = { prompts: targets.ids, leads: leadsOf(targets, architecture.V), sources };
  return { job, given: targets.given, width: targets.width, sourceRows };
}

type Rows = Pick<Sequences, "ids" | "given" | "width">;

/** Targets with its start token before each row that does not begin with it. */
function begunWith(starts: readonly number[], { ids, given, width }: Rows): Rows {
  const begin = (row: readonly number[], b: number): readonly number[] =>
    ids[b][0] === starts[b] ? row : [starts[b], ...row];
  const begun = given.map(begin);
  return { ids: ids.map(begin), given: begun, width: Math.max(width, longest(begun)) };
}

/** What the rules on scores see in place of the tokens of each row: all that was given, if something was masked. */
const leadsOf = ({ ids, given }: Rows, V: number): RowLead[] =>
  given.map((row, b) =>
    row.length === ids[b].length
      ? NO_LEAD
      : { ...NO_LEAD, ids: row.filter((id) => id >= 0 && id < V), covered: ids[b].length },
  );

function readContinuation(core: DecoderCore, past: PastKeyValues, inputs: GenerateInputs): ReadJob {
  if (typeof past?.check !== "function")
    throw new InputError(`generate: past_key_values must come from past(), got ${show(past)}`);
  past.check(core);
  const { input_ids, attention_mask, ...others } = inputs;
  const rows = { input_ids, attention_mask };
  const more = input_ids === undefined ? undefined : readPrompts(core.architecture, rows, { holes: "drop" }).ids;
  const stray = { ...others, past_key_values: undefined, attention_mask: more ? undefined : attention_mask };
  const bad = Object.entries(stray).find(([, value]) => value !== undefined);
  if (bad) throw new InputError(`generate: ${bad[0]} must be absent with these past_key_values; leave it out`);
  if (more) checkRowCount("input_ids", more, "past_key_values", past.ids.length);
  const prompts = past.ids.map((ids, b) => [...ids, ...(more?.[b] ?? [])]);
  const empty = prompts.findIndex(({ length }) => length === 0);
  if (empty >= 0)
    throw new InputError(
      `generate: row ${empty} of past_key_values must hold at least one token; append some or give input_ids`,
    );
  return { job: { prompts, past }, given: prompts, width: longest(prompts) };
}
