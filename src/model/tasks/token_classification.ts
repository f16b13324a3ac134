import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import type { Range } from "../text/offsets.js";
import {
  type EncoderTask,
  type EncodingOptions,
  openEncoderTask,
  probabilities,
  type Reading,
  type ReadText,
} from "./encoder_task.js";

/** A text, or a list of words, which then get the labels. */
export type TokenInput = string | { readonly words: readonly string[] };

/** Options of token classification. */
export interface TaggingOptions extends EncodingOptions {
  /**
   * "none" labels tokens. The others label words: by their "first" token, the "average" of their tokens' probabilities,
   * or the token with the "max"imum probability. Default "none".
   */
  readonly aggregation_strategy?: (typeof STRATEGIES)[number];
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
  readonly end: number;
  /** When tokens are labelled: the index of the token in its sequence. */
  readonly index?: number;
}

/** The labels of a text, in the order of the text. */
export interface Tagging extends Reading {
  readonly entities: readonly Entity[];
}

/** Token classification on one checkpoint. */
export type TaggingTask = EncoderTask<TokenInput, TaggingOptions, Tagging>;

const STRATEGIES = ["none", "first", "average", "max"] as const;

const textOf = (input: TokenInput): string => (typeof input === "string" ? input : input.words.join(" "));

/**
 * Opens labelling of tokens or words. Throws CheckpointError without a classifier of tokens, and all that `load`
 * throws.
 */
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

/** A token or a word with the probabilities of its labels. */
interface Tagged {
  readonly range: Range;
  readonly labels: readonly string[];
  readonly scores: readonly number[];
  /** Whether it continues the word of the token before it. */
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
 * Joins the tokens of each word. Words are the caller's, or else begin at tokens that do not continue one or, without
 * WordPiece, that follow a gap.
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

/** The places where words begin after joining them by spaces. */
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
