import { InputError, OptionError } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import type { Encoding } from "../text/encoding.js";
import type { Range } from "../text/letters.js";
import { checkText } from "../text/checks.js";
import { bestSpans } from "./answer_spans.js";
import {
  type EncodedSequence,
  type EncodingOptions,
  openEncoderTask,
  type TaskKind,
  type TaskParts,
} from "./encoder_task.js";
import { ANSWER_RULES } from "./option_rules.js";
import { checkFields } from "./text_inputs.js";

/** A question and its context. */
export interface Question {
  /** What is asked. */
  readonly question: string;
  /** The text that answers it. */
  readonly context: string;
}

/** Options of question answering. Long contexts are read in windows that overlap. */
export interface AnswerOptions extends Omit<EncodingOptions, "truncation" | "max_length"> {
  /** How many answers to return, best first, in a list; without it, the best one. */
  readonly top_k?: number;
  /** Most tokens of a window: question, its part of the context and special tokens. Default 384, or what the model allows. */
  readonly max_seq_len?: number;
  /** How many tokens of the context a window shares with the next. Default 128, or half of a window if that is less. */
  readonly doc_stride?: number;
  /** Most tokens of an answer. Default 15. */
  readonly max_answer_len?: number;
  /** Whether "" may be the answer, with the score of the first token, where the context has none. Default false. */
  readonly handle_impossible_answer?: boolean;
  /** Whether answers begin and end with whole words. Default true. */
  readonly align_to_words?: boolean;
}

/** A part of the context. */
export interface Answer {
  /** The probability of its start times that of its end; equal texts, whatever their case, are added up. */
  readonly score: number;
  /** Its start in the context in UTF-16 units, as strings count them. */
  readonly start: number;
  /** Its end. */
  readonly end: number;
  /** The text from start to end. */
  readonly answer: string;
}

/** One answer, or with `top_k` a list of them. */
export type AnswersOf<Options> = Options extends { readonly top_k: number } ? Answer[] : Answer;

/** Question answering on one checkpoint. */
export interface AnswerTask extends TaskParts {
  /** The answer to a question, or to each of a list. */
  <I extends Question | readonly Question[], Options extends AnswerOptions>(
    input: I,
    options?: Options,
  ): Promise<I extends readonly unknown[] ? AnswersOf<Options>[] : AnswersOf<Options>>;
}

const SPANS: TaskKind = {
  name: "question-answering",
  needs: "a head for starts and ends of answers",
  takes: ({ head }) => head?.classifier === "spans",
};

/**
 * Opens answers to questions by parts of a context, as QuestionAnsweringPipeline of Transformers 4 finds them (after Chen et
 * al. 2017, arXiv:1704.00051). Throws CheckpointError for other models, and all that `load` throws.
 */
export async function questionAnswering(source: CheckpointLike, options: LoadOptions = {}): Promise<AnswerTask> {
  const task = await openEncoderTask(SPANS, source, options, ({ architecture: { encoder } }, tokenizer) => {
    const longest = Math.min(tokenizer.model_max_length ?? Infinity, encoder?.P ?? Infinity);
    return {
      options: ANSWER_RULES,
      read(input: Question, options: AnswerOptions) {
        const { question, context } = readQuestion(input);
        const { max_seq_len = Math.min(longest, 384) } = options;
        const { doc_stride = Math.min(Math.floor(max_seq_len / 2), 128) } = options;
        const whole = tokenizer.encode(question, { text_pair: context });
        return windowsOf(whole, max_seq_len, doc_stride).map((encoding) => ({ encoding }));
      },
      wanted({ max_seq_len }) {
        if (max_seq_len === undefined || max_seq_len <= longest) return { logits: true };
        throw new OptionError(
          `question-answering: max_seq_len must be at most ${longest}, as the model allows, got ${max_seq_len}`,
        );
      },
      result(windows, { context }, options) {
        const found = answersOf(context, windows, options);
        return options.top_k === undefined ? found[0] : found;
      },
    };
  });
  return task as AnswerTask; // one answer or several, as `top_k` says
}

/** Question and context. Throws InputError for anything else, and for empty ones. */
function readQuestion(input: Question): Question {
  checkFields(input, "question", "context");
  const { question, context } = input;
  for (const [name, text] of Object.entries({ question, context }))
    if (!checkText(text, name)) throw new InputError(`${name}: must not be empty`);
  return { question, context };
}

/** Windows of at most `limit` tokens over the second text, each of which begins `stride` tokens before the end of the last. */
function windowsOf(whole: Encoding, limit: number, stride: number): Encoding[] {
  const own = whole.sequence_ids.flatMap((text, t) => (text === 1 ? t : []));
  const room = limit - (whole.ids.length - own.length);
  if (!own.length) throw new InputError("context: must give at least one token, it gives none");
  if (own.length > room && room <= stride)
    throw new InputError(
      `question: must leave more than doc_stride=${stride} of max_seq_len=${limit} tokens for the context, leaves ${room}; shorten it, or change these options`,
    );
  const windows: Encoding[] = [];
  for (let at = 0; ; at += room - stride) {
    const kept = own.slice(at, at + room);
    windows.push(windowOf(whole, own, kept[0], kept[kept.length - 1]));
    if (at + room >= own.length) return windows;
  }
}

/** A sequence without those of its tokens `own` that are before `first` or after `last`. */
function windowOf(whole: Encoding, own: readonly number[], first: number, last: number): Encoding {
  const outside = new Set(own.filter((t) => t < first || t > last));
  const cut = <T>(list: readonly T[]): readonly T[] => list.filter((_, t) => !outside.has(t));
  return {
    ...whole,
    ids: cut(whole.ids),
    tokens: cut(whole.tokens),
    token_type_ids: cut(whole.token_type_ids),
    offsets: cut(whole.offsets),
    word_ids: cut(whole.word_ids),
    sequence_ids: cut(whole.sequence_ids),
  };
}

/** The best answers of all windows of a context. */
function answersOf(context: string, windows: readonly EncodedSequence[], options: AnswerOptions): Answer[] {
  const { top_k = 1, max_answer_len = 15, handle_impossible_answer = false, align_to_words = true } = options;
  const count = align_to_words ? 2 * top_k + 10 : top_k; // aligned, several may become one
  const found = new Map<string, Answer>();
  let impossible = Infinity;
  for (const { encoding, results } of windows) {
    const isOwn = (t: number): boolean => encoding.sequence_ids[t] === 1;
    const { spans, none } = bestSpans(results.logits, isOwn, count, max_answer_len);
    impossible = Math.min(impossible, none);
    for (const { first, last, score } of spans) {
      const [start, end] = placeOf(encoding, first, last, align_to_words);
      const answer = context.slice(start, end);
      const key = answer.toLowerCase();
      const twin = found.get(key) ?? { score: 0, start, end, answer };
      found.set(key, { ...twin, score: twin.score + score });
    }
  }
  const none = handle_impossible_answer ? [{ score: impossible, start: 0, end: 0, answer: "" }] : [];
  return [...found.values(), ...none].sort((a, b) => b.score - a.score).slice(0, top_k);
}

/** The range of the context from a token to another, or from the beginning of a word to the end of another. */
function placeOf({ offsets, word_ids, sequence_ids }: Encoding, first: number, last: number, align: boolean): Range {
  if (!align) return [offsets[first][0], offsets[last][1]];
  const isOf = (t: number, word: number | null): boolean => sequence_ids[t] === 1 && word_ids[t] === word;
  const start = offsets.findIndex((_, t) => isOf(t, word_ids[first]));
  const end = offsets.findLastIndex((_, t) => isOf(t, word_ids[last]));
  return [offsets[start][0], offsets[end][1]];
}
