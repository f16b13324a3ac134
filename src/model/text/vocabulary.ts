import { BPE, Unigram, WordPiece } from "@huggingface/tokenizers";
import { CheckpointError, InputError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";

/** A token of a word. */
export interface Piece {
  readonly token: string;
  readonly id: number;
  /** The characters of the word that it stands for: the first one, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

/** Cuts words into tokens of the vocabulary. */
export interface Vocabulary {
  /** "BPE", "Unigram", "WordPiece" or "WordLevel". */
  readonly type: string;
  readonly ids: ReadonlyMap<string, number>;
  /** The token that stands for what the vocabulary has not; undefined when there is none. */
  readonly unknown: string | undefined;
  /** The tokens of a word. */
  pieces(word: string): Piece[];
}

/** A part of a word: a token, or a text that is none, and how many characters it stands for. */
type Cut = readonly [text: string, count: number];

/** How a model cuts words. */
interface Model {
  readonly ids: ReadonlyMap<string, number>;
  readonly unknown: string | undefined;
  cutsOf(word: string): readonly Cut[];
  /** Whether parts outside the vocabulary become tokens of bytes, if it has these. */
  readonly bytes?: boolean;
  /** Whether unknown parts next to each other become one token. */
  readonly fuses?: boolean;
  /** Whether parts outside the vocabulary are left out where it has no unknown token, as in BPE. */
  readonly drops?: boolean;
}

const sizeOf = (text: string): number => Array.from(text).length;

const MODELS: Readonly<Record<string, (definition: Json) => Model>> = {
  WordLevel({ vocab, unk_token }) {
    const ids = new Map(Object.entries(vocab as Record<string, number>));
    return { ids, unknown: String(unk_token ?? "<unk>"), cutsOf: (word) => [[word, sizeOf(word)]] };
  },

  WordPiece(definition) {
    const { continuing_subword_prefix: prefix = "##" } = definition;
    const model = new WordPiece({ ...definition, continuing_subword_prefix: prefix } as never);
    const cutsOf = (word: string): readonly Cut[] => {
      const [first, ...more] = model.encode([word]);
      const rest = more.map((token): Cut => [token, sizeOf(token) - sizeOf(String(prefix))]);
      return [[first, sizeOf(word) - rest.reduce((sum, [, count]) => sum + count, 0)], ...rest];
    };
    return { ids: model.tokens_to_ids, unknown: model.unk_token, cutsOf };
  },

  BPE(definition) {
    const { continuing_subword_prefix, end_of_word_suffix, unk_token, byte_fallback, fuse_unk } = definition;
    if (continuing_subword_prefix)
      throw new CheckpointError(
        `BPE with continuing_subword_prefix ${show(continuing_subword_prefix)} is not supported`,
      );
    const model = new BPE(definition as never);
    const ids = model.tokens_to_ids;
    const suffix = sizeOf(String(end_of_word_suffix ?? ""));
    const unknown = typeof unk_token === "string" ? unk_token : undefined;
    const bytes = byte_fallback === true;
    const hasUnknown = unknown !== undefined && ids.has(unknown);
    const isLost = (char: string): boolean => !ids.has(char) && !(bytes && byteTokens(char, ids));
    const cutsOf = (word: string): readonly Cut[] => {
      if (model.ignore_merges && ids.has(word)) return [[word, sizeOf(word)]];
      const chars = Array.from(word);
      const last = chars.length - Number(suffix > 0); // with a suffix the last character is spelled otherwise
      const kept = chars.flatMap((char, at) => (!hasUnknown && at < last && isLost(char) ? [] : at));
      const tokens = model.bpe(kept.map((at) => chars[at]).join(""));
      let [at, next] = [0, 0];
      return tokens.flatMap((token, i): Cut[] => {
        const gap: Cut = ["", kept[next] - at];
        next += sizeOf(token) - (i === tokens.length - 1 ? suffix : 0);
        const from = at + gap[1];
        at = kept[next - 1] + 1;
        return gap[1] ? [gap, [token, at - from]] : [[token, at - from]];
      });
    };
    return { ids, unknown, cutsOf, bytes, fuses: fuse_unk === true, drops: true };
  },

  Unigram(definition) {
    const model = new Unigram(definition as never, "");
    const ids = model.tokens_to_ids;
    const cutsOf = (word: string): readonly Cut[] => {
      const cuts: Cut[] = [];
      for (const text of model.tokenize(word)) {
        const [last, count] = cuts[cuts.length - 1] ?? ["", 0];
        const joins = count > 0 && !ids.has(text) && !ids.has(last);
        cuts.splice(cuts.length - Number(joins), 1, [joins ? last + text : text, sizeOf(text) + (joins ? count : 0)]);
      }
      return cuts;
    };
    return { ids, unknown: model.unk_token, cutsOf, bytes: definition.byte_fallback === true };
  },
};

/** The type of a model; old files do not say it. */
function typeOf({ type, vocab, merges, continuing_subword_prefix }: Json): string {
  if (typeof type === "string") return type;
  if (Array.isArray(vocab)) return "Unigram";
  if (merges) return "BPE";
  return continuing_subword_prefix === undefined ? "WordLevel" : "WordPiece";
}

/** The model that `tokenizer.json` describes. Throws CheckpointError for a type or ids that cannot be. */
export function createVocabulary(definition: Json): Vocabulary {
  const type = typeOf(definition);
  const create = MODELS[type];
  if (!create) throw new CheckpointError(`model ${type} is not supported`);
  const model = create(definition);
  for (const [token, id] of model.ids)
    if (!Number.isSafeInteger(id) || id < 0)
      throw new CheckpointError(`the id of token ${show(token)} must be a whole number, got ${show(id)}`);
  return { type, ids: model.ids, unknown: model.unknown, pieces: (word) => piecesOf(model, word) };
}

/** The tokens of a word. Throws InputError for what is not in the vocabulary and cannot be left out either. */
function piecesOf({ ids, unknown = "", cutsOf, bytes, fuses, drops }: Model, word: string): Piece[] {
  const pieces: Piece[] = [];
  const unknownId = ids.get(unknown);
  let at = 0;
  for (const [text, count] of cutsOf(word)) {
    const [from, to] = [at, (at += count)];
    const id = ids.get(text);
    const spelled = id === undefined && bytes ? byteTokens(text, ids) : undefined;
    const last = pieces[pieces.length - 1];
    if (id !== undefined) pieces.push({ token: text, id, from, to });
    else if (spelled) for (const token of spelled) pieces.push({ token, id: ids.get(token) as number, from, to });
    else if (unknownId !== undefined && fuses && last?.id === unknownId && last.to === from)
      pieces[pieces.length - 1] = { ...last, to };
    else if (unknownId !== undefined) pieces.push({ token: unknown, id: unknownId, from, to });
    else if (!drops)
      throw new InputError(
        `text: must consist of what the vocabulary knows, got ${show(word)}; the tokenizer has no token for what it does not know`,
      );
  }
  return pieces;
}

/** Tokens that spell the bytes of a text, if the vocabulary has all of them. */
function byteTokens(text: string, ids: ReadonlyMap<string, number>): string[] | undefined {
  const tokens = Array.from(
    new TextEncoder().encode(text),
    (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  return tokens.every((token) => ids.has(token)) ? tokens : undefined;
}
