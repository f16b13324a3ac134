import { InputError, show } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import type { Encoding } from "../text/encoding.js";
import type { Range } from "../text/letters.js";
import {
  type EncoderTask,
  type EncodingOptions,
  openEncoderTask,
  probabilities,
  type Reading,
  readingOf,
  type TaskKind,
} from "./encoder_task.js";
import { TAGGING_RULES } from "./option_rules.js";

/** A text, or a list of words, which then get the labels. */
export type TokenInput = string | { readonly words: readonly string[] };

/** Options of token classification. */
export interface TaggingOptions extends EncodingOptions {
  /**
   * "none" labels tokens. The others label words: by their "first" token, the "average" of their tokens' probabilities,
   * or the token with the "max"imum probability. Default "none".
   */
  readonly aggregation_strategy?: "none" | "first" | "average" | "max";
  /** Labels to leave out. Default ["O"]. */
  readonly ignore_labels?: readonly string[];
}

/** A label and its range of text. When words are labelled, those with labels B-X, I-X, I-X become one entity X. */
export interface Entity {
  /** The label. */
  readonly entity: string;
  /** Its probability; of an entity of several words, the mean. */
  readonly score: number;
  /** The text from start to end. */
  readonly word: string;
  /** Start and end of the range in UTF-16 units, as strings count them. */
  readonly start: number;
  /** Its end. */
  readonly end: number;
  /** When tokens are labelled: the index of the token in its sequence. */
  readonly index?: number;
}

/** The labels of a text, in the order of the text. */
export interface Tagging extends Reading {
  /** Labelled tokens, words, or entities of words. */
  readonly entities: readonly Entity[];
}

/** Token classification on one checkpoint. */
export type TaggingTask = EncoderTask<TokenInput, TaggingOptions, Tagging>;

const textOf = (input: TokenInput): string => (typeof input === "string" ? input : input.words.join(" "));

/**
 * Opens labelling of tokens or words. Throws CheckpointError without a classifier of tokens, and all that `load`
 * throws.
 */
export function tokenClassification(source: CheckpointLike, options: LoadOptions = {}): Promise<TaggingTask> {
  return openEncoderTask(TOKENS, source, options, ({ architecture: { head } }) => ({
    options: TAGGING_RULES,
    truncation: true,
    read(input: TokenInput, _, encode) {
      const isWord = (word: unknown): boolean => typeof word === "string" && /\S/.test(word);
      const isList = (list: unknown): boolean => Array.isArray(list) && Array.from(list).every(isWord);
      if (typeof input !== "string" && !(isList(input?.words) && Object.keys(input).length === 1))
        throw new InputError(
          `text: must be a string or { words: [...] } of words that are not empty, got ${show(input)}`,
        );
      return [{ encoding: encode({ text: textOf(input) }) }];
    },
    wanted: () => ({ logits: true }),
    result([{ encoding, results }], input, { aggregation_strategy = "none", ignore_labels = ["O"] }): Tagging {
      const text = textOf(input);
      const tagged = tagTokens(text, results.logits, encoding, head?.labels ?? []);
      const entities =
        aggregation_strategy === "none"
          ? tagged.map((token) => entityOf(text, token))
          : joinEntities(text, tagWords(text, tagged, input, aggregation_strategy));
      const kept = entities.filter(({ entity }) => !ignore_labels.includes(entity));
      return { entities: kept, ...readingOf(encoding) };
    },
  }));
}

const TOKENS: TaskKind = {
  name: "token-classification",
  needs: "a classifier of tokens",
  takes: ({ head }) => head?.classifier === "tokens",
};

/** A token or a word with the probabilities of its labels. */
interface Tagged {
  readonly range: Range;
  readonly labels: readonly string[];
  readonly scores: readonly number[];
  /** The word that it belongs to. */
  readonly word: number;
  readonly index?: number;
}

function tagTokens(text: string, logits: Float32Array, read: Encoding, labels: readonly string[]): Tagged[] {
  const own = read.ids.flatMap((_, index) => (read.sequence_ids[index] === 0 ? index : []));
  return own.map((index, t) => {
    const row = logits.subarray(index * labels.length, (index + 1) * labels.length);
    const range = placeOf(text, read.offsets[index], read.offsets[own[t + 1]]?.[0]);
    return { range, labels, scores: probabilities(row, "softmax"), word: read.word_ids[index] as number, index };
  });
}

/** The range of a token without white space around it, and with the marks that follow its last letter. */
function placeOf(text: string, [start, end]: Range, next = text.length): Range {
  const own = text.slice(start, end);
  const shown = own.trim();
  if (!shown) return [start, end];
  const from = start + own.indexOf(shown);
  const to = from + shown.length;
  const marks = to === end ? /^\p{M}+/u.exec(text.slice(end, Math.max(end, next)))?.[0] : undefined;
  return [from, to + (marks ?? "").length];
}

const best = (scores: readonly number[]): number => scores.indexOf(Math.max(...scores));

function entityOf(text: string, { range: [start, end], labels, scores, index }: Tagged): Entity {
  const label = best(scores);
  const place = { word: text.slice(start, end), start, end };
  return { entity: labels[label], score: scores[label], ...place, ...(index !== undefined && { index }) };
}

/** Joins the tokens of each word. Words are the caller's, or else those of the pre-tokenizer. */
function tagWords(
  text: string,
  tokens: readonly Tagged[],
  input: TokenInput,
  strategy: "first" | "average" | "max",
): Tagged[] {
  const wordOf = typeof input === "string" ? ({ word }: Tagged) => word : wordAt(input.words);
  const words = new Map<number, Tagged[]>();
  for (const token of tokens.filter(({ range }) => text.slice(...range).trim())) {
    const word = wordOf(token);
    words.set(word, [...(words.get(word) ?? []), token]);
  }
  return [...words].map(([word, own]) => {
    const range: Range = [own[0].range[0], own[own.length - 1].range[1]];
    return { range, labels: own[0].labels, scores: SCORES[strategy](own.map(({ scores }) => scores)), word };
  });
}

/** Finds the word of a token among words that are joined by spaces. */
function wordAt(words: readonly string[]): (token: Tagged) => number {
  let at = 0;
  const ends = words.map((word) => (at += word.length + 1));
  return ({ range: [start] }) => ends.findIndex((end) => start < end);
}

const SCORES = {
  first: ([first]: readonly (readonly number[])[]) => first,
  average: (all: readonly (readonly number[])[]) =>
    all[0].map((_, label) => all.reduce((sum, scores) => sum + scores[label], 0) / all.length),
  max: (all: readonly (readonly number[])[]) => {
    const sureness = all.map((scores) => Math.max(...scores));
    return all[sureness.indexOf(Math.max(...sureness))];
  },
} as const;

/**
 * Joins words with labels B-X, I-X to entities X (TokenClassificationPipeline.group_entities of Transformers); keeps
 * other labels.
 */
function joinEntities(text: string, words: readonly Tagged[]): Entity[] {
  const groups: { name: string; parts: Entity[]; scheme: boolean }[] = [];
  for (const entity of words.map((word) => entityOf(text, word))) {
    const [, mark, name] = entity.entity.match(/^([BI])-(.+)$/) ?? [];
    const last = groups[groups.length - 1];
    if (mark === "I" && last?.scheme && last.name === name) last.parts.push(entity);
    else groups.push({ name: name ?? entity.entity, parts: [entity], scheme: mark !== undefined });
  }
  return groups.map(({ name, parts }) => {
    const [{ start }, { end }] = [parts[0], parts[parts.length - 1]];
    const score = parts.reduce((sum, part) => sum + part.score, 0) / parts.length;
    return { entity: name, score, word: text.slice(start, end), start, end };
  });
}
