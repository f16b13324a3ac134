import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../model.js";
import type { Range } from "../text/offsets.js";
import {
  type EncoderTask,
  type EncodingOptions,
  openEncoderTask,
  probabilities,
  type Reading,
  type ReadText,
} from "./encoder_task.js";

/** A text, or its words, which are then the units that get labels. */
export type TokenInput = string | { readonly words: readonly string[] };

export interface TaggingOptions extends EncodingOptions {
  /**
   * "none": a label a token. Else a label a word: that of its first token, of the average of its tokens' probabilities,
   * or of its surest token. Default "none".
   */
  readonly aggregation_strategy?: (typeof STRATEGIES)[number];
  /** Labels to leave out. Default ["O"]. */
  readonly ignore_labels?: readonly string[];
}

/**
 * A label and the stretch of text that it is for. Words with labels B-X, I-X, I-X become one entity X when words are
 * labelled.
 */
export interface Entity {
  readonly entity: string;
  readonly score: number;
  /** The text from start to end. */
  readonly word: string;
  /** In UTF-16 units, as strings count. */
  readonly start: number;
  readonly end: number;
  /** Of the token in the sequence, when tokens are labelled. */
  readonly index?: number;
}

export interface Tagging extends Reading {
  readonly entities: readonly Entity[];
}

export type TaggingTask = EncoderTask<TokenInput, TaggingOptions, Tagging>;

const STRATEGIES = ["none", "first", "average", "max"] as const;

const textOf = (input: TokenInput): string => (typeof input === "string" ? input : input.words.join(" "));

/** Labels of the tokens or words of texts. Throws as `load` does, and CheckpointError. */
export function tokenClassification(source: CheckpointLike, options: LoadOptions = {}): Promise<TaggingTask> {
  return openEncoderTask(source, options, async ({ architecture: { head, family }, checkpoint: { config } }) => ({
    name: "token-classification",
    options: ["aggregation_strategy", "ignore_labels"],
    check() {
      if (head?.classifier !== "tokens")
        throw new CheckpointError(
          `token-classification: the model must have been saved with a classifier of tokens, got ${show(config.architectures)} of ${family}`,
        );
    },
    texts(input: TokenInput) {
      if (typeof input !== "string" && !(Array.isArray(input?.words) && input.words.every((word) => /\S/.test(word))))
        throw new InputError(
          `text: must be a string or { words: [...] } of words that are not empty, got ${show(input)}`,
        );
      return { text: textOf(input) };
    },
    wanted(_, { aggregation_strategy = "none", ignore_labels = [] }: TaggingOptions) {
      if (!STRATEGIES.includes(aggregation_strategy))
        throw new OptionError(
          `token-classification: aggregation_strategy must be one of ${STRATEGIES.join(", ")}, got ${show(aggregation_strategy)}`,
        );
      if (!Array.isArray(ignore_labels))
        throw new OptionError(`token-classification: ignore_labels must be a list, got ${show(ignore_labels)}`);
      return { logits: true };
    },
    result({ logits }, read, input, { aggregation_strategy = "none", ignore_labels = ["O"] }): Tagging {
      const tagged = tagTokens(logits, read, head?.labels ?? []);
      const text = textOf(input);
      const entities =
        aggregation_strategy === "none"
          ? tagged.map((token) => entityOf(text, token))
          : joinEntities(text, tagWords(tagged, input, aggregation_strategy));
      const kept = entities.filter(({ entity }) => !ignore_labels.includes(entity));
      return { entities: kept, truncated: read.truncated, unknown: read.unknown };
    },
  }));
}

/** The probabilities of the labels over a stretch of text. */
interface Tagged {
  readonly range: Range;
  readonly labels: readonly string[];
  readonly scores: readonly number[];
  /** Continues the word before it. */
  readonly continues?: boolean;
  readonly index?: number;
}

function tagTokens(logits: Float32Array, { text, first, count }: ReadText, labels: readonly string[]): Tagged[] {
  const ranges = text.ranges();
  return Array.from({ length: count }, (_, t) => {
    const row = logits.subarray((first + t) * labels.length, (first + t + 1) * labels.length);
    const continues = /^##./.test(text.tokens[t]);
    return { range: ranges[t], labels, scores: probabilities(row, "softmax"), continues, index: first + t };
  });
}

const best = (scores: readonly number[]): number => scores.indexOf(Math.max(...scores));

function entityOf(text: string, { range: [start, end], labels, scores, index }: Tagged): Entity {
  const label = best(scores);
  const place = { word: text.slice(start, end), start, end };
  return { entity: labels[label], score: scores[label], ...place, ...(index !== undefined && { index }) };
}

/**
 * Tokens of one word as one: words are the caller's, or begin at a token that is no continuation and touches none
 * before it.
 */
function tagWords(tokens: readonly Tagged[], input: TokenInput, strategy: "first" | "average" | "max"): Tagged[] {
  const starts = typeof input === "string" ? undefined : wordStarts(input.words);
  const pieces = tokens.some(({ continues }) => continues);
  const words: Tagged[][] = [];
  tokens.forEach((token, t) => {
    const touches = t > 0 && tokens[t - 1].range[1] === token.range[0];
    const same = starts ? !starts.has(token.range[0]) : pieces ? token.continues : touches;
    if (t > 0 && same) words[words.length - 1].push(token);
    else words.push([token]);
  });
  return words.map((own) => {
    const range: Range = [own[0].range[0], own[own.length - 1].range[1]];
    return { range, labels: own[0].labels, scores: SCORES[strategy](own.map(({ scores }) => scores)) };
  });
}

/** Places where words begin when they are joined by spaces. */
function wordStarts(words: readonly string[]): ReadonlySet<number> {
  let at = 0;
  return new Set(words.map((word) => (at += word.length + 1) - word.length - 1));
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
 * Words with labels B-X, I-X as entities X, as group_entities of Transformers' TokenClassificationPipeline; other
 * labels stay.
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
