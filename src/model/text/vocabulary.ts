import { BPE, Unigram, WordPiece } from "@huggingface/tokenizers";
import { CheckpointError } from "../../runtime/errors.js";
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

/** The model that `tokenizer.json` describes. Throws CheckpointError for a type that is unknown. */
export function createVocabulary(definition: Json): Vocabulary {
  const type = typeOf(definition);
  const create = MODELS[type];
  if (!create) throw new CheckpointError(`model ${String(definition.type)} is not supported`);
  return create(definition, type);
}

/** The type of a model; old files do not say it. */
function typeOf({ type, vocab, merges, continuing_subword_prefix }: Json): string {
  if (typeof type === "string") return type;
  if (Array.isArray(vocab)) return "Unigram";
  if (merges) return "BPE";
  return continuing_subword_prefix === undefined ? "WordLevel" : "WordPiece";
}

const sizeOf = (text: string): number => Array.from(text).length;

/** A cut of a word: the token, and how many characters it stands for. */
type Cut = readonly [token: string, count: number];

/** Numbers cuts of a word. */
function placed(cuts: readonly Cut[], ids: ReadonlyMap<string, number>, unknown: number | undefined): Piece[] {
  let at = 0;
  return cuts.flatMap(([token, count]) => {
    const id = ids.get(token) ?? unknown;
    const [from, to] = [at, (at += count)];
    return id === undefined ? [] : { token, id, from, to };
  });
}

/** Tokens that spell the bytes of a text, if the vocabulary has all of them. */
function byteTokens(text: string, ids: ReadonlyMap<string, number>): string[] | undefined {
  const tokens = Array.from(
    new TextEncoder().encode(text),
    (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  return tokens.every((token) => ids.has(token)) ? tokens : undefined;
}

const MODELS: Readonly<Record<string, (definition: Json, type: string) => Vocabulary>> = {
  WordLevel(definition, type) {
    const ids = new Map(Object.entries(definition.vocab as Record<string, number>));
    const unknown = String(definition.unk_token ?? "<unk>");
    return {
      type,
      ids,
      unknown,
      pieces: (word) => placed([[ids.has(word) ? word : unknown, sizeOf(word)]], ids, undefined),
    };
  },

  WordPiece(definition, type) {
    const { continuing_subword_prefix: prefix = "##" } = definition;
    const model = new WordPiece({ ...definition, continuing_subword_prefix: prefix } as never);
    const ids = model.tokens_to_ids;
    const cutsOf = (word: string): readonly Cut[] => {
      const [first, ...more] = model.encode([word]);
      const rest = more.map((token): Cut => [token, sizeOf(token) - sizeOf(String(prefix))]);
      return [[first, sizeOf(word) - rest.reduce((sum, [, count]) => sum + count, 0)], ...rest];
    };
    return { type, ids, unknown: model.unk_token, pieces: (word) => placed(cutsOf(word), ids, undefined) };
  },

  BPE(definition, type) {
    const model = new BPE(definition as never);
    const ids = model.tokens_to_ids;
    const cut = (word: string): readonly string[] => (model.ignore_merges && ids.has(word) ? [word] : model.bpe(word));
    const suffix = String(definition.end_of_word_suffix ?? "");
    return withUnknown(type, ids, definition, model.unk_token_id, (word) => {
      const tokens = cut(word);
      return tokens.map((token, i): Cut => [token, sizeOf(token) - (i === tokens.length - 1 ? sizeOf(suffix) : 0)]);
    });
  },

  Unigram(definition, type) {
    const model = new Unigram(definition as never, "");
    const { tokens_to_ids: ids, unk_token_id } = model;
    return withUnknown(type, ids, { ...definition, fuse_unk: true }, unk_token_id, (word) =>
      model.tokenize(word).map((token) => [token, sizeOf(token)]),
    );
  },
};

/** A model whose cuts may be outside its vocabulary: they become byte tokens, or unknown ones, joined if it says so. */
function withUnknown(
  type: string,
  ids: ReadonlyMap<string, number>,
  { byte_fallback, fuse_unk, unk_token }: Json,
  unknown: number | undefined,
  cutsOf: (word: string) => readonly Cut[],
): Vocabulary {
  const pieces = (word: string): Piece[] => {
    const found: Piece[] = [];
    let at = 0;
    for (const [token, count] of cutsOf(word)) {
      const [from, to] = [at, (at += count)];
      const own = ids.get(token);
      const bytes = own === undefined && byte_fallback ? byteTokens(token, ids) : undefined;
      const last = found[found.length - 1];
      if (own !== undefined) found.push({ token, id: own, from, to });
      else if (bytes) found.push(...bytes.map((byte) => ({ token: byte, id: ids.get(byte) as number, from, to })));
      else if (unknown === undefined) continue;
      else if (fuse_unk && last?.id === unknown && last.to === from)
        found[found.length - 1] = { ...last, token: unk_token === undefined ? last.token + token : last.token, to };
      else found.push({ token: unk_token === undefined ? token : String(unk_token), id: unknown, from, to });
    }
    return found;
  };
  return { type, ids, unknown: [...ids].find(([, id]) => id === unknown)?.[0], pieces };
}
