import type { DecoderCore } from "../core.js";
import type { GenerationDefaults } from "../decode/defaults.js";
import { decodeAlone } from "../loop/decode.js";
import { runCall } from "../decode/generate.js";
import { mergeOptions } from "../decode/option_checks.js";
import { type GenerateOptions, namesOf } from "../decode/options.js";
import { type Generation, resolveOptions } from "../decode/resolve.js";
import type { Source } from "../inputs.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { judge, type Thresholds, type Verdict } from "./fallback.js";
import { meanLogProbability } from "./logprob.js";

/** What the windows of a call are decoded with. */
export interface Decoding {
  readonly core: DecoderCore;
  readonly defaults: GenerationDefaults;
  readonly tokenizer: Tokenizer | undefined;
  /** Tried one after the other, until the thresholds accept the result; 0 takes the best tokens. */
  readonly temperatures: readonly number[];
  readonly thresholds: Thresholds;
  /** Options of the search. */
  readonly search: GenerateOptions;
  readonly signal: AbortSignal | undefined;
}

/** A window to decode. */
export interface WindowJob {
  /** The tokens before its text. */
  readonly prompt: readonly number[];
  readonly source: Source;
  /** The probability that there is no speech, where a threshold asks for it. */
  readonly noSpeech: number | undefined;
  /** Takes the tokens so far as they become final. */
  readonly onTokens?: (tokens: readonly number[]) => void;
}

/** A result of a window: its generated tokens, the end token included, and its score with beam search. */
export interface WindowResult {
  readonly tokens: readonly number[];
  readonly score?: number;
}

/** What a window was decoded to. */
export interface Decoded {
  /** Best first. */
  readonly results: readonly WindowResult[];
  readonly temperature: number;
  readonly verdict: Verdict;
  /** How many searches it took. */
  readonly runs: number;
}

/**
 * Decodes windows, each at the first temperature at which the thresholds accept it, or else at the last. Throws as
 * `generate()` does. Source: `generate_with_fallback` of Transformers, generation_whisper.py.
 */
export async function decodeWindows(decoding: Decoding, jobs: readonly WindowJob[]): Promise<Decoded[]> {
  const decoded: Decoded[] = [];
  let open = [...jobs.keys()];
  for (const [tried, temperature] of decoding.temperatures.entries()) {
    for (const alike of byPromptLength(jobs, open)) {
      const judged = await search(
        decoding,
        alike.map((index) => jobs[index]),
        temperature,
      );
      alike.forEach((index, i) => (decoded[index] = { ...judged[i], temperature, runs: tried + 1 }));
    }
    open = open.filter((index) => decoded[index].verdict === "retry");
  }
  return decoded;
}

/** Windows whose prompts are equally long can have equally many new tokens: as many as each would have alone. */
function byPromptLength(jobs: readonly WindowJob[], open: readonly number[]): number[][] {
  const lengthOf = (index: number): number => jobs[index].prompt.length;
  return [...new Set(open.map(lengthOf))].map((length) => open.filter((index) => lengthOf(index) === length));
}

/** Searches windows at a temperature, and judges what was found. */
async function search(
  decoding: Decoding,
  jobs: readonly WindowJob[],
  temperature: number,
): Promise<Pick<Decoded, "results" | "verdict">[]> {
  const { core, defaults, tokenizer, thresholds, signal } = decoding;
  const { V, decoder } = core.architecture;
  const prompts = jobs.map(({ prompt }) => prompt);
  const width = prompts[0].length;
  const call = optionsOf(decoding, temperature, width);
  const options = mergeOptions(call, defaults, V);
  const g = resolveOptions(options, { call, B: jobs.length, P: decoder.P, width, longest: width });
  const job = { prompts, sources: jobs.map(({ source }) => source) };
  const found = await runCall(
    core,
    decodeAlone(core),
    { job, given: prompts, width, g },
    { tokenizer: g.stop_strings.length ? tokenizer : undefined, signal, emit: emitter(jobs, g) },
  );
  const judged: Pick<Decoded, "results" | "verdict">[] = [];
  for (const [index, { prompt, source, noSpeech }] of jobs.entries()) {
    const rows = Array.from({ length: g.returned }, (_, rank) => index * g.returned + rank);
    const results = rows.map((row) => ({
      tokens: found.sequences[row].slice(width, found.lengths[row]),
      ...(found.sequences_scores && { score: found.sequences_scores[row] }),
    }));
    const [{ tokens }] = results;
    const scores = found.token_scores?.[rows[0]];
    const logprob = scores && (await meanLogProbability(core, g, { prompt, source, tokens, scores }));
    judged.push({ results, verdict: await judge({ tokens, logprob, noSpeech }, thresholds, V) });
  }
  return judged;
}

/** The options of a search at a temperature: beams search only at 0, and tokens are drawn only above. */
function optionsOf(
  { core, defaults, search, temperatures, thresholds }: Decoding,
  temperature: number,
  width: number,
): GenerateOptions {
  const draws = temperature > 0;
  const others: readonly string[] = temperatures.some((other) => other > 0 !== draws)
    ? namesOf(draws ? "search" : "sampling")
    : [];
  const keeps = (name: string): boolean => name === "num_return_sequences" || !others.includes(name);
  const own = Object.fromEntries(Object.entries(search).filter(([name]) => keeps(name)));
  const { P } = core.architecture.decoder;
  const { max_length, max_new_tokens } = { ...defaults.options, ...search };
  const most = Math.min((max_length ?? Infinity) + Math.min(Math.floor(P / 2) - 1, width), P) - width;
  return {
    ...own,
    do_sample: draws,
    ...(draws && { temperature, num_beams: 1 }),
    max_new_tokens: max_new_tokens ?? most,
    max_length: null,
    output_scores: typeof thresholds.logprob_threshold === "number",
    forced_decoder_ids: null,
  } as GenerateOptions;
}

/** Passes tokens on to their windows; of several samples of a window, those of the first. */
function emitter(jobs: readonly WindowJob[], { sampling, returned }: Generation) {
  if (!jobs.some(({ onTokens }) => onTokens)) return undefined;
  const each = sampling ? returned : 1;
  const seen = jobs.map((): number[] => []);
  return (events: readonly { readonly row: number; readonly token_ids: readonly number[] }[]): void => {
    for (const { row, token_ids } of events.filter(({ row }) => row % each === 0)) {
      seen[row / each].push(...token_ids);
      jobs[row / each].onTokens?.(seen[row / each]);
    }
  };
}
