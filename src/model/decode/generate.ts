import { InputError, OptionError } from "../../runtime/errors.js";
import { readRows } from "../arguments.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { DecoderCore } from "../core.js";
import type { DecoderArchitecture } from "../graph/architecture.js";
import { checkRowCount, type ModelInputs, type TokenRows } from "../inputs.js";
import type { TextCodec } from "../text/tokenizer.js";
import type { Job } from "./batch.js";
import { decode, type Launches } from "./loop.js";
import type { GenerateOptions } from "./options.js";
import type { PastKeyValues } from "./past.js";
import type { Hypothesis, StepReports } from "./reports.js";
import { type Generation, resolveOptions } from "./resolve.js";
import { createStopper, createStreamer, type StreamEvent } from "./stream.js";

/** What to generate from: sources or prompts, or a past. */
export interface GenerateInputs extends Partial<ModelInputs> {
  /** Tokens that the targets begin with, the start token first; the start token alone when absent. Encoder-decoders only. */
  readonly decoder_input_ids?: TokenRows;
  /** Continue these sequences, followed by `input_ids` if given; they themselves stay as they are. Decoder-only models. */
  readonly past_key_values?: PastKeyValues;
}

/** What a call generated. */
export interface GenerateResult {
  /** A row for each result, those of one input together, best first; pad_token_id after a row's end. */
  readonly sequences: number[][];
  /** Log-probability / length ^ length_penalty of each row; beam search only. */
  readonly sequences_scores?: number[];
  /** Log-probability of each generated token of each row, after the generation rules; with `output_scores` only. */
  readonly token_scores?: number[][];
  /** Tokens of each row without the padding behind its end. */
  readonly lengths: number[];
  readonly stats: GenerateStats;
}

/** What a call did: steps, their launches, and milliseconds from the end of the first step (which compiles) to the end of the last. */
export interface GenerateStats {
  readonly steps: number;
  readonly launches: Launches;
  readonly ms: number;
  /** How often the sentences still open went on alone, in a smaller batch. */
  readonly compactions: number;
  /** The seed that was drawn from, with do_sample. */
  readonly seed?: number;
}

/** What a call of `generate()` or `stream()` comes down to. */
export interface Call {
  readonly job: Job;
  readonly g: Generation;
  /** Columns of the prompts in the result. */
  readonly width: number;
}

/** Checks inputs and options. Throws InputError and OptionError. */
export function planCall(
  { architecture: a }: DecoderCore,
  checkpoint: Json,
  inputs: GenerateInputs,
  call: GenerateOptions,
): Call {
  const { prompts, width, ...job } = readJob(a, inputs);
  const context = { V: a.V, P: a.decoder.P, given: width, decoderOnly: !a.encoder };
  const g = resolveOptions({ call, checkpoint, ...context });
  return { job: { ...job, prompts: prompts ?? (job.sources ?? []).map(() => [g.start]) }, g, width };
}

/** A job as its inputs tell it: without prompts where these are the start token alone, which options tell. */
type ReadJob = Omit<Job, "prompts"> & { readonly prompts?: Job["prompts"]; readonly width: number };

function readJob(a: DecoderArchitecture, inputs: GenerateInputs | undefined): ReadJob {
  const past = inputs?.past_key_values;
  if (past) return readContinuation(a, past, inputs);
  const rows = readRows(a, "input_ids", inputs?.input_ids, inputs?.attention_mask);
  const begun = inputs?.decoder_input_ids;
  if (!a.encoder) {
    if (begun !== undefined)
      throw new InputError(
        `generate: decoder_input_ids must be absent, ${a.family} has no encoder; begin input_ids with them`,
      );
    return { prompts: rows.ids, padding: rows.pads, width: rows.width };
  }
  const sources = rows.ids.map((ids) => ({ ids }));
  if (begun === undefined) return { sources, width: 1 };
  const targets = readRows(a, "decoder_input_ids", begun);
  checkRowCount("decoder_input_ids", targets.ids, "input_ids", rows.ids.length);
  return { prompts: targets.ids, padding: targets.pads, sources, width: targets.width };
}

function readContinuation(a: DecoderArchitecture, past: PastKeyValues, inputs: GenerateInputs): ReadJob {
  const { input_ids, attention_mask } = inputs;
  const more = input_ids === undefined ? undefined : readRows(a, "input_ids", input_ids, attention_mask).ids;
  if (more) checkRowCount("input_ids", more, "past_key_values", past.ids.length);
  const prompts = past.ids.map((ids, b) => [...ids, ...(more?.[b] ?? [])]);
  const empty = prompts.findIndex(({ length }) => length === 0);
  if (empty >= 0)
    throw new InputError(
      `generate: row ${empty} of past_key_values must hold at least one token; append some or give input_ids`,
    );
  const known = { past, lengths: past.ids.map(({ length }) => length) };
  return { prompts, known, width: Math.max(...prompts.map(({ length }) => length)) };
}

/** What a call needs besides its plan. */
export interface CallHooks {
  /** For the text of events, and for stop strings. */
  readonly codec?: TextCodec;
  readonly signal?: AbortSignal;
  /** Gets the events of each step. */
  readonly emit?: (events: StreamEvent[]) => void;
}

/** Runs a call. Throws as `decode` does. */
export async function runCall(
  core: DecoderCore,
  { job, g, width }: Call,
  { codec, signal, emit }: CallHooks,
): Promise<GenerateResult> {
  if (emit && g.beamStep.groups > 1)
    throw new OptionError(`stream: num_beam_groups must be 1, got ${g.beamStep.groups}; groups share no beginning`);
  const rows = job.prompts.length * g.n;
  const stopper = g.stop_strings.length && codec ? createStopper(rows, g, codec) : undefined;
  const streamer = emit && createStreamer(rows, codec);
  const onStep = (reports: StepReports): boolean | undefined => {
    const going = stopper?.onStep(reports);
    if (streamer) emit(streamer(reports, stopper?.kept));
    return going;
  };
  const { hypotheses, ...stats } = await decode(core, job, g, { signal, onStep, kept: stopper?.kept });
  return resultOf({ job, g, width }, hypotheses, { ...stats, ...(g.sampling && { seed: g.sampling.seed }) });
}

/** Lays results out as Transformers does: prompts end in one column, and what is after a row's end is padding. */
function resultOf(
  { job, g, width }: Call,
  hypotheses: readonly (readonly Hypothesis[])[],
  stats: GenerateStats,
): GenerateResult {
  const results = hypotheses.flatMap((list, b) =>
    list.map((hypothesis) => ({ ...hypothesis, prompt: job.prompts[b] })),
  );
  const length = width + Math.max(...results.map(({ ids }) => ids.length));
  const pads = (count: number): number[] => Array<number>(count).fill(g.pad);
  return {
    sequences: results.map(({ prompt, ids }) => [
      ...pads(width - prompt.length),
      ...prompt,
      ...ids,
      ...pads(length - width - ids.length),
    ]),
    ...(g.beams > 1 && { sequences_scores: results.map(({ score }) => score) }),
    ...(g.output_scores && { token_scores: results.map(({ logProbs }) => [...logProbs]) }),
    lengths: results.map(({ ids }) => width + ids.length),
    stats,
  };
}
