import type { AudioInput, Recognition, RecognitionOptions } from "../index.js";
import { readAudio } from "../model/speech/audio.js";
import type { Batcher } from "./batcher.js";
import { invalid } from "./errors.js";
import { subRip, webVtt } from "./subtitles.js";

/** Transcripts of recordings of several requests. */
export type Transcribe = Batcher<AudioInput, RecognitionOptions, Recognition>;

const FORMATS = ["json", "text", "verbose_json", "srt", "vtt"] as const;
type TranscriptFormat = (typeof FORMATS)[number];

const NAMES = ["file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"];
const SECOND = 16_000; // samples

/** What a form asks for. */
interface Wanted {
  readonly file: File;
  readonly format: TranscriptFormat;
  readonly words: boolean;
  readonly options: RecognitionOptions;
}

/** Answers POST /v1/audio/transcriptions. Rejects with ApiError, and as speech recognition does. */
export async function answerTranscription(
  form: FormData,
  transcribe: Transcribe,
  signal: AbortSignal,
): Promise<Response> {
  const { file, format, words, options } = readForm(form);
  const samples = await readAudio(await file.arrayBuffer(), SECOND, signal);
  const [heard] = await transcribe.run([{ raw: samples, sampling_rate: SECOND }], options, signal);
  const text = heard.text.trim();
  const chunks = heard.chunks ?? [];
  switch (format) {
    case "json":
      return Response.json({ text });
    case "text":
      return new Response(`${text}\n`);
    case "srt":
      return new Response(subRip(chunks), { headers: { "content-type": "application/x-subrip; charset=utf-8" } });
    case "vtt":
      return new Response(webVtt(chunks), { headers: { "content-type": "text/vtt; charset=utf-8" } });
    case "verbose_json":
      return Response.json(verbose(heard, samples.length / SECOND, words));
  }
}

/** A transcript with its times. */
function verbose({ text, language, chunks = [] }: Recognition, duration: number, words: boolean): object {
  const segments = chunks.map(({ text, timestamp: [start, end] }, id) => ({ id, start, end, text }));
  const spoken = chunks.flatMap(({ words = [] }) => words);
  return {
    task: "transcribe",
    language: language ?? null,
    duration,
    text: text.trim(),
    segments,
    ...(words && { words: spoken.map(({ text, timestamp: [start, end] }) => ({ word: text.trim(), start, end })) }),
  };
}

/** The name of the model in a form. Throws ApiError. */
export function modelOf(form: FormData): string {
  const name = form.get("model");
  if (typeof name === "string") return name;
  throw invalid("model", "model: must be given", "missing_parameter");
}

function readForm(form: FormData): Wanted {
  const strange = [...form.keys()].find((name) => !NAMES.includes(name));
  if (strange !== undefined)
    throw invalid(
      strange,
      `${strange}: is no field of this request; fields are ${NAMES.join(", ")}`,
      "unknown_parameter",
    );
  const file = form.get("file");
  if (!(file instanceof File)) throw invalid("file", "file: must be given, a recording", "missing_parameter");
  const text = (name: string): string | undefined => {
    const value = form.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const format = text("response_format") ?? "json";
  if (!isFormat(format))
    throw invalid("response_format", `response_format: must be one of ${FORMATS.join(", ")}, got ${format}`);
  const grains = form.getAll("timestamp_granularities[]");
  const odd = grains.find((grain) => grain !== "segment" && grain !== "word");
  if (odd !== undefined || (grains.length && format !== "verbose_json"))
    throw invalid("timestamp_granularities[]", "timestamp_granularities[]: must be segment or word, with verbose_json");
  const words = grains.includes("word");
  const timed = format === "srt" || format === "vtt" || format === "verbose_json";
  return {
    file,
    format,
    words,
    options: {
      language: text("language"),
      prompt_ids: text("prompt"),
      temperature: temperatureOf(text("temperature")),
      ...(timed && { return_timestamps: words ? "word" : true }),
    },
  };
}

const isFormat = (name: string): name is TranscriptFormat => (FORMATS as readonly string[]).includes(name);

function temperatureOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw invalid("temperature", `temperature: must be a number of at least 0, got ${text}`);
}
