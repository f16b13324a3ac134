import { CheckpointError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { type Behavior, type Letters, replaced, respelled, split } from "./letters.js";
import { patternOf, spellBytes } from "./patterns.js";

/** Cuts a text into the words that the model of a tokenizer reads one by one. */
export type PreTokenizer = (letters: Letters) => readonly Letters[];

const SPACE = /\p{White_Space}/gu;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const WORD = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}`;
const WORDS = new RegExp(String.raw`[${WORD}]+|[^${WORD}\p{White_Space}]+`, "gu");
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** The pre-tokenizer that `tokenizer.json` describes. Throws CheckpointError for a type that is unknown. */
export function createPreTokenizer(definition: Json): PreTokenizer {
  const create = PRE_TOKENIZERS[definition.type as string];
  if (!create) throw new CheckpointError(`pre_tokenizer ${String(definition.type)} is not supported`);
  return create(definition);
}

const behaviorOf = (behavior: unknown): Behavior => String(behavior ?? "isolated").toLowerCase() as Behavior;

/** Puts a prefix before a text; it stands for the first letter. */
const prefixed = (letters: Letters, prefix: string): Letters =>
  letters[0]?.char === prefix ? letters : [{ ...letters[0], char: prefix }, ...letters];

const PRE_TOKENIZERS: Readonly<Record<string, (definition: Json) => PreTokenizer>> = {
  BertPreTokenizer: () => (letters) =>
    split(letters, SPACE, "removed").flatMap((word) => split(word, PUNCTUATION, "isolated")),
  Whitespace: () => (letters) => split(letters, WORDS, "removed", true),
  WhitespaceSplit: () => (letters) => split(letters, SPACE, "removed"),
  Punctuation({ behavior }) {
    return (letters) => split(letters, PUNCTUATION, behaviorOf(behavior));
  },
  Digits({ individual_digits }) {
    return (letters) => split(letters, /\p{N}/gu, individual_digits ? "isolated" : "contiguous");
  },
  CharDelimiterSplit({ delimiter }) {
    const pattern = patternOf({ String: String(delimiter) });
    return (letters) => split(letters, pattern, "removed");
  },
  FixedLength({ length }) {
    const size = Math.max(1, Number(length));
    return (letters) =>
      Array.from({ length: Math.ceil(letters.length / size) }, (_, i) => letters.slice(i * size, (i + 1) * size));
  },
  Split({ pattern, behavior, invert }) {
    const found = patternOf(pattern);
    return (letters) => split(letters, found, behaviorOf(behavior), Boolean(invert));
  },
  ByteLevel({ add_prefix_space = true, use_regex = true }) {
    const pattern = patternOf({ Regex: GPT2 });
    return (given) => {
      const letters = add_prefix_space ? prefixed(given, " ") : given;
      const words = use_regex ? split(letters, pattern, "isolated") : [letters];
      return words.map((word) => respelled(word, spellBytes));
    };
  },
  Metaspace: metaspace,
  Sequence({ pretokenizers }) {
    const all = (pretokenizers as Json[]).map(createPreTokenizer);
    return (letters) => all.reduce<readonly Letters[]>((words, cut) => words.flatMap(cut), [letters]);
  },
};

/** Spells spaces as SentencePiece does, puts one before the text, and cuts before each. */
function metaspace({ replacement = "▁", add_prefix_space, prepend_scheme, split: cuts = true }: Json): PreTokenizer {
  const space = String(replacement);
  const scheme = add_prefix_space === false ? "never" : (prepend_scheme ?? "always");
  const pattern = patternOf({ String: space });
  return (given) => {
    const spaced = replaced(given, / /gu, space);
    const begins = scheme === "always" || (scheme === "first" && spaced[0].start === 0);
    const letters = begins ? prefixed(spaced, space) : spaced;
    return cuts ? split(letters, pattern, "mergedwithnext") : [letters];
  };
}
