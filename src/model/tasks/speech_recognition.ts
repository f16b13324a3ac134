import { CALLBACK, checkNames, checkOption, SIGNAL, wholeNumber } from "../../runtime/checks.js";
import { CheckpointError, InputError, OptionError } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import { streamed } from "../decode/stream.js";
import { decoderCore } from "../arguments.js";
import { load, type LoadOptions } from "../load.js";
import type { Model } from "../model.js";
import { type AudioInput, readAudio } from "../speech/audio.js";
import { SPEECH_OPTIONS, type SpeechOptions } from "../speech/options.js";
import type { Recogniser, RecogniserHooks, Recognition, RecognitionEvent } from "../speech/recogniser.js";
import { waveformRecogniser } from "../speech/waveform.js";
import { whisperRecogniser } from "../speech/whisper.js";
import { requireTokenizer } from "../text/checks.js";
import type { Tokenizer } from "../text/tokenizer.js";

/** Options of speech recognition: those of Whisper, and those of `generate()`. */
export interface RecognitionOptions extends SpeechOptions {
  /** Stops the call, which rejects with its reason. */
  readonly signal?: AbortSignal;
  /** How many recordings to transcribe together. Default 8. */
  readonly batch_size?: number;
  /** Called when `loaded` of `total` seconds are transcribed. */
  readonly progress?: (event: { readonly status: "progress"; readonly loaded: number; readonly total: number }) => void;
}

/** Speech recognition on one checkpoint. One recording gives one result; a list gives a list in the same order. */
export interface RecognitionTask extends AsyncDisposable {
  /** Transcribes a recording, or each of a list. */
  <A extends AudioInput | readonly AudioInput[]>(
    audio: A,
    options?: RecognitionOptions,
  ): Promise<A extends readonly unknown[] ? Recognition[] : Recognition>;
  /** Transcribes, and yields pieces of text as they are heard. Returns the results, one for each recording. */
  stream(
    audio: AudioInput | readonly AudioInput[],
    options?: RecognitionOptions,
  ): AsyncGenerator<RecognitionEvent, Recognition[]>;
  /** The model. */
  readonly model: Model;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Releases the model. */
  dispose(): void;
}

const NAME = "automatic-speech-recognition";
const TASK_OPTIONS = ["batch_size", "progress", "signal"];
// What people write who come from elsewhere.
const CURES: Readonly<Record<string, string>> = {
  chunk_length_s: "leave it out: long recordings are read window by window",
  stride_length_s: "leave it out: windows begin where the last one ended",
  return_language: "leave it out: results say their language",
  generate_kwargs: "give its options themselves",
  do_sample: "a temperature above 0 draws tokens",
  forced_decoder_ids: "give language and task",
};
const BATCH = 8; // windows of 30 seconds take memory

/**
 * Opens speech recognition with Whisper or Moonshine. Throws CheckpointError for a model that hears nothing, and all
 * that `load` throws.
 */
export async function speechRecognition(source: CheckpointLike, options: LoadOptions = {}): Promise<RecognitionTask> {
  const model = await load(source, options);
  try {
    const tokenizer = requireTokenizer(model.checkpoint, await model.tokenizer);
    return createTask(model, tokenizer, await openRecogniser(model, tokenizer));
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function openRecogniser(model: Model, tokenizer: Tokenizer): Promise<Recogniser> {
  const { encoder, decoder, family } = model.architecture;
  const input = decoder && encoder?.stem?.input;
  if (input === "input_features") return whisperRecogniser(model, tokenizer);
  const { sampling_rate } = (await model.checkpoint.json("preprocessor_config.json")) ?? {};
  if (input === "input_values") return waveformRecogniser(model, tokenizer, Number(sampling_rate ?? 16_000));
  throw new CheckpointError(`${NAME}: the model must hear audio, as whisper and moonshine do, got ${family}`);
}

function createTask(model: Model, tokenizer: Tokenizer, recogniser: Recogniser): RecognitionTask {
  const run = async (
    input: AudioInput | readonly AudioInput[],
    options: RecognitionOptions,
    hooks: Pick<RecogniserHooks, "signal" | "emit">,
  ): Promise<Recognition[]> => {
    const { batch_size = BATCH, progress, signal: _, ...speech } = options;
    const audios = await readAll(input, recogniser, hooks.signal);
    if (Array.isArray(speech.language) && speech.language.length !== audios.length)
      throw new OptionError(
        `${NAME}: language must be one for all, or the ${audios.length} of the recordings, got ${speech.language.length}`,
      );
    const seconds = audios.map(({ length }) => length / recogniser.sampling_rate);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const done = audios.map(() => 0);
    const results: Recognition[] = [];
    for (let first = 0; first < audios.length; first += batch_size) {
      const language = Array.isArray(speech.language)
        ? speech.language.slice(first, first + batch_size)
        : speech.language;
      const own = audios.slice(first, first + batch_size);
      const { emit } = hooks;
      const found = await model.run((core) =>
        recogniser.recognise(
          decoderCore(NAME, core),
          own,
          { ...speech, language },
          {
            signal: hooks.signal,
            emit: emit && ((event) => emit({ ...event, row: first + event.row })),
            onSeconds(row, until) {
              done[first + row] = Math.min(until, seconds[first + row]);
              if (!hooks.signal?.aborted) progress?.({ status: "progress", loaded: sum(done), total: sum(seconds) });
            },
          },
        ),
      );
      results.push(...found);
    }
    return results;
  };

  const call = async (
    input: AudioInput | readonly AudioInput[],
    options: RecognitionOptions = {},
  ): Promise<Recognition | Recognition[]> => {
    checkTaskOptions(options);
    const results = await run(input, options, { signal: options.signal });
    return Array.isArray(input) ? results : results[0];
  };

  async function* stream(
    input: AudioInput | readonly AudioInput[],
    options: RecognitionOptions = {},
  ): AsyncGenerator<RecognitionEvent, Recognition[]> {
    checkTaskOptions(options);
    return yield* streamed<RecognitionEvent, Recognition[]>(
      (emit, signal) => run(input, options, { signal, emit: (event) => emit([event]) }),
      options.signal,
    );
  }

  const dispose = (): void => model.dispose();
  return Object.assign(call as RecognitionTask, {
    model,
    tokenizer,
    stream,
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  });
}

function checkTaskOptions(options: RecognitionOptions): void {
  checkNames(OptionError, NAME, options, [...TASK_OPTIONS, ...SPEECH_OPTIONS], CURES);
  checkOption(NAME, "batch_size", options.batch_size, wholeNumber(1));
  checkOption(NAME, "progress", options.progress, CALLBACK);
  checkOption(NAME, "signal", options.signal, SIGNAL);
}

/** The samples of all recordings. Throws InputError with the index of the bad one in a list. */
async function readAll(
  input: AudioInput | readonly AudioInput[],
  { sampling_rate, lengths: [least, most] }: Recogniser,
  signal: AbortSignal | undefined,
): Promise<Float32Array<ArrayBuffer>[]> {
  const isList = Array.isArray(input);
  const inputs = (isList ? input : [input]) as readonly AudioInput[];
  return Promise.all(
    Array.from(inputs, async (one, index) => {
      try {
        const samples = await readAudio(one, sampling_rate, signal);
        if (samples.length >= least && samples.length <= most) return samples;
        const [bound, cure] =
          samples.length < least ? [`at least ${least}`, "add silence"] : [`at most ${most}`, "cut it"];
        throw new InputError(
          `audio: must have ${bound} samples at ${sampling_rate} Hz for this model, got ${samples.length}; ${cure}`,
        );
      } catch (error) {
        if (!(error instanceof InputError) || !isList) throw error;
        throw new InputError(`input ${index}: ${error.message}`, { cause: error, index });
      }
    }),
  );
}
