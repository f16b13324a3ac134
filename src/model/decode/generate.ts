import { InputError, OptionError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { DecoderCore } from "../core.js";
import { decode, type DecodeHooks, type Job, type Launches } from "./loop.js";
import { type ModelInputs, readSequences, type Sequences, type TokenRows } from "../inputs.js";
import { type Generation, type GenerateOptions, settle } from "./options.js";
import type { State } from "./past.js";
import { createStopper, createStreamer, type StreamEvent } from "./stream.js";
import type { TextCodec } from "../text/tokenizer.js";

export interface GenerateInputs extends Partial<ModelInputs> {
  /** Tokens that the targets begin with, the start token first; the start token alone when absent. Encoder-decoders only. */
  readonly decoder_input_ids?: TokenRows;
  /** Continue these sequences, followed by `input_ids` if given; the state itself stays as it is. Decoder-only models. */
  readonly state?: State;
}

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
export interface Task {
  readonly job: Job;
  readonly g: Generation;
  /** Columns of the prompts in the result. */
  readonly width: number;
}

/** Checks inputs and options. Throws InputError and OptionError. */
export function planTask(
  { architecture: a }: DecoderCore,
  defaults: Json,
  inputs: GenerateInputs | undefined,
  options: GenerateOptions,
): Task {
  const { P } = a.decoder;
  const read = (name: string, ids: unknown, mask?: unknown): Sequences => {
    const most = a.encoder && name === "input_ids" ? a.encoder.P : P;
    return readSequences(name, ids, mask, a.V, most);
  };
  if (inputs?.state) return planContinuation(P, a.V, defaults, inputs.state, inputs, options, read);
  const rows = read("input_ids", inputs?.input_ids, inputs?.attention_mask);
  const begun = inputs?.decoder_input_ids;
  if (!a.encoder) {
    if (begun !== undefined)
      throw new InputError(
        `generate: decoder_input_ids must be absent, ${a.family} has no encoder; begin input_ids with them`,
      );
    const g = settle(options as Json, defaults, a.V, P, rows.width, true);
    return { job: { prompts: rows.ids, pads: rows.pads }, g, width: rows.width };
  }
  const prefix = begun === undefined ? undefined : read("decoder_input_ids", begun);
  if (prefix && prefix.ids.length !== rows.ids.length) {
    throw new InputError(
      `decoder_input_ids: must have the ${rows.ids.length} rows of input_ids, got ${prefix.ids.length}`,
    );
  }
  const width = prefix?.width ?? 1;
  const g = settle(options as Json, defaults, a.V, P, width);
  return {
    job: { prompts: prefix?.ids ?? rows.ids.map(() => [g.start]), sources: rows.ids, pads: prefix?.pads },
    g,
    width,
  };
}

function planContinuation(
  P: number,
  V: number,
  defaults: Json,
  state: State,
  inputs: GenerateInputs,
  options: GenerateOptions,
  read: (name: string, ids: unknown, mask?: unknown) => Sequences,
): Task {
  const more = inputs.input_ids === undefined ? undefined : read("input_ids", inputs.input_ids, inputs.attention_mask);
  if (more && more.ids.length !== state.ids.length)
    throw new InputError(`input_ids: must have the ${state.ids.length} rows of the state, got ${more.ids.length}`);
  const prompts = state.ids.map((ids, b) => [...ids, ...(more?.ids[b] ?? [])]);
  const empty = prompts.findIndex(({ length }) => length === 0);
  if (empty >= 0)
    throw new InputError(
      `generate: row ${empty} of the state must hold at least one token; append some or give input_ids`,
    );
  const width = Math.max(...prompts.map(({ length }) => length));
  const known = { past: state.past, lengths: state.ids.map(({ length }) => length) };
  return { job: { prompts, known }, g: settle(options as Json, defaults, V, P, width, true), width };
}

/** Runs a task; `emit` gets the events of each step. `codec` serves the text of events and stop strings. */
export async function runTask(
  core: DecoderCore,
  { job, g, width }: Task,
  codec: TextCodec | undefined,
  signal?: AbortSignal,
  emit?: (events: StreamEvent[]) => void,
): Promise<GenerateResult> {
  if (emit && g.groups > 1)
    throw new OptionError(`stream: num_beam_groups must be 1, got ${g.groups}; groups share no beginning`);
  const rows = job.prompts.length * g.samples;
  const stopper = g.stop_strings.length && codec ? createStopper(rows, g, codec) : undefined;
  const streamer = emit && createStreamer(rows, g, codec);
  const onStep: DecodeHooks["onStep"] = (reports) => {
    const going = stopper?.onStep(reports);
    if (streamer) emit(streamer(reports, stopper?.kept));
    return going;
  };
  const { hypotheses, ...stats } = await decode(core, job, g, { signal, onStep, kept: stopper?.kept });
  const results = hypotheses.flatMap((list, b) =>
    list.map((hypothesis) => ({ ...hypothesis, prompt: job.prompts[b] })),
  );
  const length = width + Math.max(...results.map(({ ids }) => ids.length));
  const pads = (count: number): number[] => Array<number>(count).fill(g.pad);
  return {
    // Prompts end in one column, as Transformers has them.
    sequences: results.map(({ prompt, ids }) => [
      ...pads(width - prompt.length),
      ...prompt,
      ...ids,
      ...pads(length - width - ids.length),
    ]),
    ...(g.beams > 1 && { sequences_scores: results.map(({ score }) => score) }),
    ...(g.output_scores && { token_scores: results.map(({ logProbs }) => [...logProbs]) }),
    lengths: results.map(({ ids }) => width + ids.length),
    stats: { ...stats, ...(g.sampling && { seed: g.sampling.seed }) },
  };
}
