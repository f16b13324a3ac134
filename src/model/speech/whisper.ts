import { CheckpointError, InputError } from "../../runtime/errors.js";
import type { DecoderCore } from "../core.js";
import type { Stem } from "../graph/architecture.js";
import type { Model } from "../model.js";
import { signalInput } from "../signals.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { chunkOf, type Spelling, textOf } from "./chunks.js";
import { type FeatureExtractor, readFeatureExtractor } from "./feature_extractor.js";
import { type LogMel, logMelSpectrum } from "./log_mel.js";
import { resolveSpeech, type SpeechOptions } from "./options.js";
import type { Recogniser, RecogniserHooks, Recognition } from "./recogniser.js";
import { FRAMES_A_SECOND, type Segment } from "./segments.js";
import type { Spectrum } from "./rows.js";
import { openSpeech, type Speech, type SpeechHooks, transcribe, type Transcript } from "./transcribe.js";

/** Speech recognition by Whisper. Throws CheckpointError for a checkpoint without its feature extractor. */
export async function whisperRecogniser(model: Model, tokenizer: Tokenizer): Promise<Recogniser> {
  const extractor = await readFeatureExtractor(model.checkpoint);
  if (!extractor)
    throw new CheckpointError(
      `${model.checkpoint.label}: must hold preprocessor_config.json to hear audio, found none; give input_features to generate() instead`,
    );
  return {
    sampling_rate: extractor.sampling_rate,
    lengths: [1, Infinity],
    async recognise(core, recordings, options, hooks) {
      const speech = openSpeech(model, core, tokenizer);
      const results: Recognition[] = [];
      for (const rows of byLength(recordings, extractor)) {
        const found = await hear(speech, extractor, { recordings, rows, options: languagesOf(options, rows), hooks });
        rows.forEach((row, i) => (results[row] = found[i]));
      }
      return results;
    },
  };
}

const isLong = ({ length }: Float32Array, { window, hop_length }: FeatureExtractor): boolean =>
  length > window * hop_length;

/** Recordings that a window holds, and longer ones, which need timestamps. */
function byLength(recordings: readonly Float32Array[], extractor: FeatureExtractor): number[][] {
  const rows = [...recordings.keys()];
  const [short, long] = [false, true].map((kind) => rows.filter((row) => isLong(recordings[row], extractor) === kind));
  return [short, long].filter(({ length }) => length > 0);
}

/** The options of some rows of a call, of which each may have a language of its own. */
function languagesOf(options: SpeechOptions, rows: readonly number[]): SpeechOptions {
  const { language } = options;
  return Array.isArray(language) ? { ...options, language: rows.map((row) => language[row]) } : options;
}

interface Heard {
  readonly recordings: readonly Float32Array[];
  /** Which of them. */
  readonly rows: readonly number[];
  readonly options: SpeechOptions;
  readonly hooks: RecogniserHooks;
}

async function hear(
  speech: Speech,
  extractor: FeatureExtractor,
  { recordings, rows, options, hooks: { signal, emit, onSeconds } }: Heard,
): Promise<Recognition[]> {
  const { config, core } = speech;
  const tokenizer = speech.tokenizer as Tokenizer;
  const long = isLong(recordings[rows[0]], extractor);
  const resolved = resolveSpeech(options, { config, isLong: long, spell: (text) => spellPrompt(speech, text) });
  const spelling = (language?: string): Spelling => ({ tokenizer, end: config.end, language });
  const timed = resolved.return_timestamps !== false;
  const shown = rows.map(() => "");
  const hooks: SpeechHooks = {
    signal,
    onTokens:
      emit &&
      ((i, tokens) => {
        const text = textOf(tokens, spelling()).replace(/\ufffd+$/, ""); // bytes that make no character yet
        if (text !== shown[i]) emit({ row: rows[i], text, final: false });
        shown[i] = text;
      }),
    onWindow(i, segments, frames) {
      shown[i] = "";
      for (const chunk of segments.flatMap((segment) => chunkOf(segment, spelling()) ?? []))
        emit?.({ row: rows[i], text: chunk.text, final: true, ...(timed && { timestamp: chunk.timestamp }) });
      onSeconds?.(rows[i], frames < heard[i].frames ? frames / FRAMES_A_SECOND : Infinity);
    },
  };
  const spectra: LogMel[] = [];
  let heard: readonly Spectrum[] = [];
  try {
    for (const row of rows)
      spectra.push(
        await logMelSpectrum(core, extractor, recordings[row], { frames: long ? undefined : extractor.window, signal }),
      );
    heard = spectra.map((mel, i) =>
      spectrumOf(core, mel, Math.ceil(recordings[rows[i]].length / extractor.hop_length)),
    );
    const transcripts = await transcribe(speech, heard, resolved, hooks);
    return transcripts.map((transcript) => resultOf(transcript, spelling(transcript.language), timed));
  } finally {
    for (const spectrum of spectra) spectrum.dispose();
  }
}

function spectrumOf(core: DecoderCore, { frames, window }: LogMel, spoken: number): Spectrum {
  const stem = core.architecture.encoder?.stem as Stem;
  return { frames, spoken: Math.min(frames, spoken), window: (first) => signalInput(stem, window(first)) };
}

/** The tokens of a prompt, as `get_prompt_ids` of Transformers' tokenizer gives them. Throws InputError for special ones. */
function spellPrompt({ config: { previous, end }, tokenizer }: Speech, text: string): number[] {
  const { ids } = (tokenizer as Tokenizer).encode(` ${text.trim()}`, { add_special_tokens: false });
  if (ids.some((id) => id >= end))
    throw new InputError(`prompt_ids: must be text without special tokens, got ${JSON.stringify(text)}`);
  return previous === undefined ? [...ids] : [previous, ...ids];
}

function resultOf({ language, segments, windows }: Transcript, spelling: Spelling, timed: boolean): Recognition {
  const chunks = segments.flatMap((segment: Segment) => chunkOf(segment, spelling) ?? []);
  const alternatives = windows.flatMap(({ start, end, results }) =>
    results.map(({ tokens, score }) => ({
      text: textOf(tokens, spelling),
      ...(score !== undefined && { score }),
      timestamp: [start, end] as const,
    })),
  );
  return {
    text: chunks.map(({ text }) => text).join(""),
    ...(timed && { chunks }),
    ...(language !== undefined && { language }),
    ...(windows.some(({ results }) => results.length > 1) && { alternatives }),
  };
}
