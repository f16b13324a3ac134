import type {
  Answer,
  Classification,
  Features,
  FilledMask,
  GeneratedText,
  RankedDocument,
  Recognition,
  Tagging,
  Tasks,
  TextName,
  ZeroShot,
} from "../index.js";
import type { Fields } from "./items.js";

/** How the inputs of a task are written, and its results are shown. */
export interface View {
  /** The fields of an input in JSON. */
  readonly fields: readonly string[];
  /** The input that they make. */
  input(fields: Fields): unknown;
  /** The input that several texts make; absent where each is one. */
  together?(texts: readonly string[]): unknown;
  /** A result in one line. */
  line(result: unknown): string;
  /** A result as a reader likes it, below its title; `others` are the texts that made one input with it. */
  show(result: unknown, title: string, others?: readonly string[]): readonly string[];
  /** A result as fields of JSON; `several` says whether there may be more than one of a text. */
  json(result: unknown, several: boolean): object;
}

/** A view of results of this type. */
const view = <Result extends object>(
  one: Pick<View, "fields" | "input" | "together"> & {
    readonly line: (result: Result) => string;
    readonly show: (result: Result, title: string, others?: readonly string[]) => readonly string[];
    readonly json?: (result: Result, several: boolean) => object;
  },
) => ({ json: (result: Result): object => result, ...one }) as View;

/** A text of one line, whatever it holds. */
const inLine = (text: string): string => text.replace(/[\n\r\u2028\u2029]/g, (end) => JSON.stringify(end).slice(1, -1));

const pairOf = ({ text, text_pair }: Fields): unknown => (text_pair === undefined ? text : { text, text_pair });

type Generated = readonly Partial<GeneratedText<TextName>>[];

/** The text of a result; of a conversation, the reply at its end. */
function textOf({ generated_text, translation_text, summary_text }: Generated[number]): string {
  const text: unknown = generated_text ?? translation_text ?? summary_text ?? "";
  return Array.isArray(text) ? String((text as { content?: unknown }[])[text.length - 1].content) : String(text);
}

const generated = view<Generated>({
  fields: ["text", "messages"],
  input: ({ text, messages }) => text ?? messages,
  line: (results) => results.map((one) => inLine(textOf(one))).join("\t"),
  show: (results, title) => [
    title,
    ...results.map((one) => `  ${one.score?.toFixed(4).padStart(8) ?? ""}  ${textOf(one)}`),
  ],
  json: (results, several) => (several ? { results } : results[0]),
});

const transcribed = view<Recognition>({
  fields: ["audio"],
  input: ({ audio }) => audio,
  line: ({ text }) => inLine(text.trim()),
  show({ text, chunks, language, alternatives }, title) {
    const timed = chunks?.flatMap(({ words, ...chunk }) => words ?? [chunk]);
    const times = timed?.map(
      ({ text, timestamp }) => `  ${timestamp.map((time) => time.toFixed(2).padStart(7)).join(" ")}  ${text.trim()}`,
    );
    const others = alternatives?.map(({ score, text }) => `  ${score?.toFixed(4) ?? ""}  ${text.trim()}`);
    const head = `${title}${language === undefined ? "" : `  (${language})`}`;
    return [head, ...(times ?? []), ...(others ?? []), ...(times || others ? [] : [`  ${text.trim()}`])];
  },
});

const numbers = (values: ArrayLike<number> | undefined): number[] =>
  Array.from(values ?? [], (value) => Number(value.toPrecision(9)));

const extracted = view<Features>({
  fields: ["text", "text_pair"],
  input: pairOf,
  line: ({ embedding, states }) => JSON.stringify(numbers(embedding ?? states?.data)),
  show({ embedding, states }, title) {
    const dims = states?.dims ?? [embedding?.length];
    const shown = numbers((embedding ?? states?.data)?.slice(0, 6)).map((value) => value.toFixed(4));
    return [title, `  [${dims.join(", ")}]  ${shown.join(" ")} ...`];
  },
});

const tagged = ({ entities }: Tagging): string => entities.map(({ word, entity }) => `${word}/${entity}`).join(" ");

const labelled = ({ labels }: Classification, between: string): string[] =>
  labels.map(({ label, score }) => [score.toFixed(4), label].join(between));

/** Scores with what they are scores of, one after the other. */
const scored = (pairs: readonly (readonly [score: number, text: string])[], between: string): string[] =>
  pairs.map(([score, text]) => [score.toFixed(4), inLine(text)].join(between));

type PairsOf<Result> = (
  result: Result,
  others?: readonly string[],
) => readonly (readonly [score: number, text: string])[];

/** A view of results that are texts with scores. */
const listed = <Result extends object>(
  fields: readonly string[],
  input: View["input"],
  pairsOf: PairsOf<Result>,
  together?: View["together"],
): View =>
  view<Result>({
    fields,
    input,
    ...(together && { together }),
    line: (result) => scored(pairsOf(result), "\t").join("\t"),
    show: (result, title, others) => [title, ...scored(pairsOf(result, others), "  ").map((line) => `  ${line}`)],
    json: (result) => (Array.isArray(result) ? { results: result } : result),
  });

/** The view of each task. */
export const VIEWS: { readonly [T in keyof Tasks]: View } = {
  text2text: generated,
  translation: generated,
  summarization: generated,
  "text-generation": generated,
  "automatic-speech-recognition": transcribed,
  "feature-extraction": extracted,
  "token-classification": view<Tagging>({
    fields: ["text", "words"],
    input: ({ text, words }) => text ?? { words },
    line: tagged,
    show: (result) => [tagged(result)],
  }),
  "text-classification": view<Classification>({
    fields: ["text", "text_pair"],
    input: pairOf,
    line: (result) => labelled(result, "\t").join("\t"),
    show: (result, title) => [title, ...labelled(result, "  ").map((line) => `  ${line}`)],
  }),
  "fill-mask": listed<readonly (FilledMask | readonly FilledMask[])[]>(
    ["text"],
    ({ text }) => text,
    (result) => result.flat().map(({ score, token_str }) => [score, token_str]),
  ),
  "question-answering": listed<Answer | readonly Answer[]>(
    ["question", "context"],
    (fields) => fields,
    (result) => [result].flat().map(({ score, answer }) => [score, answer]),
    ([question, ...context]) => ({ question, context: context.join(" ") }),
  ),
  "zero-shot-classification": listed<ZeroShot>(
    ["text"],
    ({ text }) => text,
    ({ labels, scores }) => labels.map((label, l) => [scores[l], label]),
  ),
  "text-ranking": listed<readonly RankedDocument[]>(
    ["query", "documents"],
    (fields) => fields,
    (result, others) => result.map(({ score, corpus_id: c, text }) => [score, others?.[c] ?? text ?? String(c)]),
    ([query, ...documents]) => ({ query, documents }),
  ),
  "sentence-similarity": listed<readonly number[]>(
    ["source_sentence", "sentences"],
    (fields) => fields,
    (result, others) => result.map((score, s) => [score, others?.[s] ?? String(s)]),
    ([source_sentence, ...sentences]) => ({ source_sentence, sentences }),
  ),
};
