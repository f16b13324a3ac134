import { OptionError } from "../../runtime/errors.js";
import type { DecoderCore, HostTensor } from "../core.js";
import { longest, type TokenLists } from "../inputs.js";
import type { Places } from "../results.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { type Branching, branchOptions, decodeAlternatives, type Follow } from "./alternatives.js";
import type { TokenLogprob } from "./candidates.js";
import { generatedAttentions } from "./cross_attentions.js";
import type { GenerationDefaults } from "./defaults.js";
import { type FinishReason, finishReason } from "./finish.js";
import { type GenerateInputs, type Job, readJob } from "./job.js";
import type { Decode, Launches } from "../loop/call.js";
import { mergeOptions } from "./option_checks.js";
import type { AllOptions, GenerateOptions } from "./options.js";
import { createObserver, shown } from "./observer.js";
import type { Hypothesis, StepReports } from "./reports.js";
import { type Generation, resolveOptions } from "./resolve.js";
import type { SentenceName, StepHook } from "./search_step.js";
import { createStopper, createStreamer, type StreamEvent } from "./stream.js";

/** What a call generated. */
export interface GenerateResult {
  /**
   * A row for each result, best first, those of the first input before those of the second; pad_token_id after the end
   * of a row.
   */
  readonly sequences: number[][];
  /**
   * With beam search or alternatives only: log-probability / generated length ^ length_penalty of each row; with search: "opennmt", the score by
   * which it ranked last.
   */
  readonly sequences_scores?: number[];
  /**
   * With `return_alternatives` only: how many rows each input has. They are fewer than num_return_sequences where no more
   * next tokens are allowed and probable enough.
   */
  readonly alternatives?: number[];
  /** With `output_scores` only: log-probability of each generated token of each row, after all rules on scores. */
  readonly token_scores?: number[][];
  /** With `top_logprobs` only: the best tokens in the place of each generated token of each row, after all rules on scores. */
  readonly top_logprobs?: (readonly TokenLogprob[])[][];
  /**
   * With `output_attentions` only: weights of cross attention f32[rows,L,H,T,S] over the S columns of the sources, by
   * which each of the T generated tokens was chosen; zeros after the end of a row and at padding.
   */
  readonly cross_attentions?: HostTensor;
  /** With `row_options` only: the result of each input, as that of a call of its own. */
  readonly rows?: GenerateResult[];
  /** The length of each row without the padding after its end. */
  readonly lengths: number[];
  /** Why each row ended: "stop" by an end id or a stop string, "length" because it may not be longer. */
  readonly finish_reasons: FinishReason[];
  /** What the call did, and how long it took. */
  readonly stats: GenerateStats;
}

/** What a call did on the device. */
export interface GenerateStats {
  /** Decoder steps that did work. */
  readonly steps: number;
  /** How many launches its plans have. */
  readonly launches: Launches;
  /** Milliseconds from the end of the first step, which compiles, to the end of the last. */
  readonly ms: number;
  /** How often the open sentences went on in a smaller batch. */
  readonly compactions: number;
  /** With do_sample: the seed, whether given or random. */
  readonly seed?: number;
}

/** A call of `generate()` or `stream()`, checked. */
export interface Call {
  readonly job: Job;
  /** The rows as the caller gave them, which the results begin with. */
  readonly given: TokenLists;
  /** What the options ask for. */
  readonly g: Generation;
  /** How many columns of the result the prompts take. */
  readonly width: number;
  /** Where the rows of the sources are in those that the caller gave; absent without an encoder. */
  readonly sourceRows?: Places;
  /** How alternatives are found, if these are what is wanted. */
  readonly branching?: Branching;
}

/** Checks the inputs and options of a call. Throws InputError and OptionError. */
export function planCall(
  core: DecoderCore,
  defaults: GenerationDefaults,
  inputs: GenerateInputs | undefined,
  call: GenerateOptions,
): Call {
  const options = mergeOptions(call, defaults, core.architecture.V);
  return resolveCall(core, readJob(core, inputs, options), options, call);
}

/** What the options of a call, `call` those that it gave itself, mean for what was read. Throws OptionError. */
export function resolveCall(
  { architecture: { decoder, family } }: DecoderCore,
  { job, given, width, sourceRows }: Omit<Call, "g" | "branching">,
  options: AllOptions,
  call: GenerateOptions,
): Call {
  if (options.output_attentions && !sourceRows)
    throw new OptionError(
      `generate: output_attentions must be false, ${family} has no cross attention; forward() gives attentions`,
    );
  if (options.coverage_penalty > 0 && !job.sources)
    throw new OptionError(`generate: coverage_penalty must be 0, ${family} has no cross attention; leave it out`);
  const context = { call, B: job.prompts.length, P: decoder.P, width, longest: longest(job.prompts) };
  if (job.vectors && options.return_alternatives)
    throw new OptionError("generate: return_alternatives must be absent with inputs_embeds; give input_ids");
  const least = options.min_alternative_expansion_prob;
  const branching = options.return_alternatives && { first: resolveOptions(branchOptions(options), context), least };
  const g = resolveOptions(options, context);
  return { job, given, width: job.vectors ? 0 : width, sourceRows, g, ...(branching && { branching }) };
}

/** How a call is followed and stopped. */
export interface CallHooks {
  /** Gives the text of events and finds stop strings. */
  readonly tokenizer?: Tokenizer;
  readonly signal?: AbortSignal;
  /** The larger it is, the earlier a loop that is shared admits the call. Default 0. */
  readonly priority?: number;
  /** Takes the events of each step. */
  readonly emit?: (events: StreamEvent[]) => void;
  /** Whether it is worth while to emit events yet: those of steps before come with the next. Default always. */
  readonly wanted?: () => boolean;
  /** Takes what each step did. */
  readonly onStep?: StepHook;
}

/** Why the results of a call have no stream, if they have none. */
export function unstreamable({ g: { beamStep }, branching }: Call): OptionError | undefined {
  if (branching)
    return new OptionError(
      "stream: return_alternatives must be absent, alternatives share no beginning; use generate()",
    );
  if (beamStep.groups > 1)
    return new OptionError(`stream: num_beam_groups must be 1, got ${beamStep.groups}; groups share no beginning`);
  return undefined;
}

/** Runs a call, which `decode` decodes. Throws as that does. */
export async function runCall(
  core: DecoderCore,
  decode: Decode,
  call: Call,
  { tokenizer, signal, priority, emit, wanted = () => true, onStep }: CallHooks,
): Promise<GenerateResult> {
  const { job, sourceRows, branching } = call;
  const g = onStep ? shown(call.g) : call.g;
  const refusal = emit && unstreamable(call);
  if (refusal) throw refusal;
  const stopper = g.stop_strings.length && tokenizer ? createStopper(job, g, tokenizer) : undefined;
  const streamer = emit && createStreamer(job, g, tokenizer);
  let last: StepReports | undefined;
  const follow: Follow = (search, name) => {
    const observe = onStep && createObserver(search, name);
    return (reports, seen) => {
      const going = stopper?.onStep(reports);
      last = reports;
      if (streamer && wanted()) emit(streamer(reports, stopper?.kept));
      if (!observe || !seen) return going;
      return Promise.resolve(onStep(observe(reports, seen, stopper?.kept))).then(() => going);
    };
  };
  const name = (b: number): SentenceName => ({ row: Math.floor(b / g.n), sentence: b % g.n });
  const decoding = branching
    ? decodeAlternatives(decode, job, g, branching, { signal, priority, follow })
    : decode(job, g, { signal, priority, onStep: follow(g, name), kept: stopper?.kept });
  const { hypotheses, ...stats } = await decoding;
  if (streamer && last && !wanted()) emit(streamer(last, stopper?.kept));
  const seed = g.sampling && { seed: g.sampling.seed };
  const result = resultOf(call, hypotheses, { ...stats, ...seed }, stopper?.found);
  if (!g.output_attentions || !sourceRows) return result;
  const rows = hypotheses.flatMap((list, prompt) => list.map(({ ids }) => ({ ids, prompt })));
  return { ...result, cross_attentions: await generatedAttentions(core, job, rows, sourceRows, signal) };
}

/** Arranges results as Transformers does: all prompts end in the same column, and padding follows the end of a row. */
function resultOf(
  { given, g, width, branching }: Call,
  hypotheses: readonly (readonly Hypothesis[])[],
  stats: GenerateStats,
  stopped: readonly boolean[] = [],
): GenerateResult {
  const results = hypotheses.flatMap((list, b) => list.map((hypothesis) => ({ ...hypothesis, given: given[b] })));
  const length = width + longest(results.map(({ ids }) => ids));
  const pads = (count: number): number[] => Array<number>(count).fill(g.pad);
  return {
    sequences: results.map(({ given, ids }) => [
      ...pads(width - given.length),
      ...given,
      ...ids,
      ...pads(length - width - ids.length),
    ]),
    ...(branching && { alternatives: hypotheses.map(({ length }) => length) }),
    ...((g.beams > 1 || branching) && { sequences_scores: results.map(({ score }) => score) }),
    ...(g.output_scores && { token_scores: results.map(({ logProbs }) => [...logProbs]) }),
    ...(g.top_logprobs && { top_logprobs: results.map(({ top }) => top.map((best = []) => best)) }),
    lengths: results.map(({ ids }) => width + ids.length),
    finish_reasons: results.map(({ ids }, row) => finishReason(g, ids, stopped[row] ?? false)),
    stats,
  };
}
