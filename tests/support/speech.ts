import { load, type Model } from "../../src/index.js";
import type { DecoderCore } from "../../src/model/core.js";
import type { SpeechOptions } from "../../src/model/speech/options.js";
import { resolveSpeech } from "../../src/model/speech/options.js";
import type { Spectrum } from "../../src/model/speech/rows.js";
import { openSpeech, type SpeechHooks, transcribe, type Transcript } from "../../src/model/speech/transcribe.js";
import type { Stem } from "../../src/model/graph/architecture.js";
import { signalInput } from "../../src/model/signals.js";
import { device, readFile, readJson } from "./harness.js";
import { storedTensors } from "./safetensors.js";

/** The tiny Whisper of the references. */
export const FOLDER = "tests/fixtures/speech";

/** What Transformers transcribes: tests/oracle/speech.py. */
export interface SpeechCase {
  readonly name: string;
  readonly audio: string;
  readonly spoken?: number;
  readonly options: SpeechOptions;
  /** Fields of generation_config.json that the case changes; null leaves one out. */
  readonly generation?: Readonly<Record<string, unknown>>;
  readonly expected: {
    readonly runs: number;
    readonly sequence: readonly number[];
    readonly prefix?: readonly number[];
    readonly segments: readonly {
      readonly start: number;
      readonly end: number;
      readonly tokens: readonly number[];
      readonly text: string;
      readonly token_timestamps?: readonly number[];
      readonly words?: readonly { readonly text: string; readonly timestamp: readonly [number, number] }[];
    }[];
    readonly text: string;
  };
}

export const readCases = async (): Promise<readonly SpeechCase[]> =>
  (await readJson<{ cases: SpeechCase[] }>(`${FOLDER}/cases.json`)).cases;

const models = new Map<string, Promise<Model>>();

/** The tiny Whisper, with other fields in its generation_config.json; loaded once. */
export async function openWhisper(generation: SpeechCase["generation"] = {}): Promise<Model> {
  const key = JSON.stringify(generation);
  const model = models.get(key) ?? loadWhisper(generation);
  models.set(key, model);
  return model;
}

async function loadWhisper(generation: Readonly<Record<string, unknown>>): Promise<Model> {
  const gpu = await device();
  const own = await readJson<Record<string, unknown>>(`${FOLDER}/generation_config.json`);
  const source = async (name: string): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    if (name === "generation_config.json") return new TextEncoder().encode(JSON.stringify({ ...own, ...generation }));
    return /index\.json$|\.bin$/.test(name) ? undefined : readFile(`${FOLDER}/${name}`).catch(() => undefined);
  };
  return load(source, { gpu });
}

/** A recording of the references as the transcription takes it. */
export async function spectrumOf(
  model: Model,
  { audio, spoken }: Pick<SpeechCase, "audio" | "spoken">,
): Promise<Spectrum> {
  const stem = model.architecture.encoder?.stem as Stem;
  const { shape, data } = storedTensors(await readFile(`${FOLDER}/audio.safetensors`))[audio];
  const [C, frames] = shape;
  const bands = new Float32Array(data.slice().buffer);
  return {
    frames,
    spoken: spoken ?? frames,
    window(first) {
      const signal = new Float32Array(stem.most * C);
      for (let t = 0; t < Math.min(stem.most, frames - first); t++)
        for (let c = 0; c < C; c++) signal[t * C + c] = bands[c * frames + first + t];
      return signalInput(stem, signal);
    },
  };
}

/** Transcribes recordings of the references together. */
export async function transcribeTogether(
  model: Model,
  recordings: readonly Pick<SpeechCase, "audio" | "spoken">[],
  options: SpeechOptions,
  hooks?: SpeechHooks,
): Promise<Transcript[]> {
  const tokenizer = await model.tokenizer;
  const spectra: Spectrum[] = [];
  for (const recording of recordings) spectra.push(await spectrumOf(model, recording));
  return model.run((core) => {
    const speech = openSpeech(model, core as DecoderCore, tokenizer);
    const isLong = spectra.some(({ frames }) => frames > speech.config.window);
    const resolved = resolveSpeech(options, { config: speech.config, isLong, spell: () => [] });
    return transcribe(speech, spectra, resolved, hooks);
  });
}
