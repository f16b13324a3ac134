import type { DecoderCore } from "../core.js";
import type { GenerationDefaults } from "../decode/defaults.js";
import type { Model } from "../model.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { decodeWindows } from "./decoding.js";
import { detectLanguages, detectSilence } from "./detection.js";
import type { ResolvedSpeech } from "./options.js";
import { prefixesOf } from "./prefix.js";
import { encodeRows, openRow, type Row, sourceOf, type Spectrum, takeWindow, type WindowResults } from "./rows.js";
import type { Segment } from "./segments.js";
import { timesOf } from "./times.js";
import { readWhisperConfig, type WhisperConfig } from "./whisper_config.js";
import { promptOf } from "./windows.js";

/** What was said in a recording. */
export interface Transcript {
  /** The code of the language; undefined where nothing says it. */
  readonly language?: string;
  readonly segments: readonly Segment[];
  readonly windows: readonly WindowResults[];
  /** How many searches it took. */
  readonly runs: number;
}

/** What a transcription runs on. */
export interface Speech {
  readonly core: DecoderCore;
  readonly config: WhisperConfig;
  readonly defaults: GenerationDefaults;
  readonly tokenizer: Tokenizer | undefined;
}

/** How a caller follows and stops a transcription. */
export interface SpeechHooks {
  readonly signal?: AbortSignal;
  /** Takes the number of a recording and the tokens so far of its window, as they become final. */
  readonly onTokens?: (row: number, tokens: readonly number[]) => void;
  /** Takes the segments of a window, and how many frames of the recording are done. */
  readonly onWindow?: (row: number, segments: readonly Segment[], done: number) => void;
}

/**
 * Transcribes recordings together, window by window: each goes on at the last timestamp of its window, and is left out
 * when it ends. Each is transcribed as it would be alone. Throws OptionError, and as `generate()` does. Source:
 * `generate` of Transformers, generation_whisper.py (Radford et al. 2022, arXiv:2212.04356, sections 3.8 and 4.5).
 */
export async function transcribe(
  speech: Speech,
  spectra: readonly Spectrum[],
  options: ResolvedSpeech,
  hooks: SpeechHooks = {},
): Promise<Transcript[]> {
  const { core, config } = speech;
  const rows = spectra.map((spectrum, index) => openRow(spectrum, index, options.condition_on_prev_tokens));
  const prefixes = await prefixesOf(config, rows.length, options, async (languages) => {
    await encodeRows(core, rows, hooks.signal);
    return detectLanguages(core, rows.map(sourceOf), config.start, languages);
  });
  rows.forEach((row, index) => (row.prefix = prefixes[index]));
  for (let open = rows; (open = open.filter(({ seek, spectrum }) => seek < spectrum.frames)).length > 0;)
    await nextWindows(speech, open, options, hooks);
  return rows.map(({ prefix, segments, windows, runs }) => ({
    ...(prefix.language !== undefined && { language: prefix.language }),
    segments,
    windows,
    runs,
  }));
}

/** Decodes the next window of each row. */
async function nextWindows(
  speech: Speech,
  rows: readonly Row[],
  options: ResolvedSpeech,
  { signal, onTokens, onWindow }: SpeechHooks,
): Promise<void> {
  const { core, config } = speech;
  const { noTimestamps } = config;
  const { P } = core.architecture.decoder;
  await encodeRows(core, rows, signal);
  const sources = rows.map(sourceOf);
  const prompts = rows.map((row) => promptOf(row, { ...options, ...config, P }));
  const asksSilence = typeof options.thresholds.no_speech_threshold === "number" && noTimestamps !== undefined;
  const begun = prompts.map((prompt, i) => prompt.slice(0, prompt.length - rows[i].prefix.ids.length + 1));
  const silences = asksSilence ? await detectSilence(core, sources, begun, noTimestamps - 1) : undefined; // ids are neighbours
  const jobs = rows.map((row, i) => ({
    prompt: prompts[i],
    source: sources[i],
    noSpeech: silences?.[i],
    onTokens: onTokens && ((tokens: readonly number[]) => onTokens(row.index, tokens)),
  }));
  const decoded = await decodeWindows({ ...speech, ...options, signal }, jobs);
  const generated = decoded.map(({ results: [{ tokens }] }) => tokens);
  const asksWords = options.return_timestamps === "word";
  const times = asksWords ? await timesOf(core, config, { rows, prompts, generated }, signal) : undefined;
  rows.forEach((row, i) => {
    const found = takeWindow(row, decoded[i], times?.[i], config);
    row.conditions = options.condition_on_prev_tokens && decoded[i].temperature < 0.5;
    onWindow?.(row.index, found, Math.min(row.seek, row.spectrum.frames));
  });
}

/** What transcriptions by a Whisper model run on. Throws CheckpointError for a checkpoint that is none. */
export const openSpeech = (model: Model, core: DecoderCore, tokenizer: Tokenizer | undefined): Speech => ({
  core,
  config: readWhisperConfig(model),
  defaults: model.generationDefaults,
  tokenizer,
});
