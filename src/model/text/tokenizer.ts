import { Tokenizer } from "@huggingface/tokenizers";
import { CheckpointError, InputError } from "../../runtime/errors.js";
import type { Checkpoint, Json } from "../checkpoint/checkpoint.js";
import { alignTokens, type Range, type Spelling } from "./offsets.js";

/** Text to token ids and back, by the checkpoint's own `tokenizer.json`. */
export interface TextCodec {
  /** Throws InputError for empty text, and for characters outside the vocabulary unless `allowUnknown`. */
  encode(text: string, allowUnknown: boolean): number[];
  /** Special tokens are left out. */
  decode(ids: readonly number[]): string;
  /** A text, or a pair of texts, as an encoder takes it. Throws InputError for empty text. */
  encodeParts(text: string, pair: string | undefined): TextParts;
  /** The most tokens that tokenizer_config.json allows, if it says. */
  readonly longest: number | undefined;
}

/** Token ids of one or two texts between the special tokens that the tokenizer puts around them. */
export interface TextParts {
  /** Special tokens before, between and after the texts. */
  readonly specials: readonly (readonly number[])[];
  readonly texts: readonly EncodedText[];
}

export interface EncodedText {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  /** How many of the ids stand for what the vocabulary does not know. */
  readonly unknown: number;
  /** Where each token stands in the text. Throws InputError when this tokenizer's tokens cannot be placed. */
  ranges(): Range[];
}

/** Reads the tokenizer of a checkpoint. Throws CheckpointError when it has none or a broken one. */
export async function openTokenizer(checkpoint: Checkpoint): Promise<TextCodec> {
  const definition = await checkpoint.json("tokenizer.json");
  if (!definition)
    throw new CheckpointError(
      `${checkpoint.label}: must hold tokenizer.json to take text, found none; give token ids to generate() instead`,
    );
  const config = (await checkpoint.json("tokenizer_config.json")) ?? {};
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(definition, config);
  } catch (cause) {
    throw new CheckpointError(
      `${checkpoint.label}/tokenizer.json: must be a tokenizer of Hugging Face, ${(cause as Error).message}`,
      { cause },
    );
  }
  const unknown = tokenizer.token_to_id(
    String(config.unk_token ?? (definition.model as { unk_token?: string } | undefined)?.unk_token),
  );
  const spelling = spellingOf(definition);
  const unknownToken = unknown === undefined ? undefined : tokenizer.id_to_token(unknown);
  const encodeText = (text: string): EncodedText => {
    const { ids, tokens } = tokenizer.encode(text, { add_special_tokens: false });
    return {
      ids,
      tokens,
      unknown: ids.filter((id: number) => id === unknown).length,
      ranges: () => alignTokens({ text, tokens, spelling, unknown: unknownToken }),
    };
  };
  return {
    longest: Number(config.model_max_length) < 2 ** 31 ? Number(config.model_max_length) : undefined,
    encodeParts(text, pair) {
      checkText(text);
      if (pair !== undefined) checkText(pair);
      const texts = [encodeText(text), ...(pair === undefined ? [] : [encodeText(pair)])];
      return { texts, specials: specialsAround(tokenizer.encode(text, { text_pair: pair }).ids, texts) };
    },
    decode: (ids) => tokenizer.decode([...ids], { skip_special_tokens: true }).trim(),
    encode(text, allowUnknown) {
      checkText(text);
      const { ids } = tokenizer.encode(text);
      if (!allowUnknown && unknown !== undefined && ids.includes(unknown)) {
        const strange = [...new Set(text)].filter((letter) => tokenizer.encode(letter).ids.includes(unknown));
        const which = strange.map((letter) => JSON.stringify(letter)).join(", ") || "some";
        throw new InputError(
          `text: ${JSON.stringify(text)} must consist of what the model's vocabulary knows, ${which} is not in it; leave it out, or pass allow_unknown: true`,
        );
      }
      return ids;
    },
  };
}

function checkText(text: unknown): asserts text is string {
  if (typeof text !== "string") throw new InputError(`text: must be a string, got ${JSON.stringify(text)}`);
  if (!text.trim()) throw new InputError("text: must hold at least one character, got an empty text");
}

function spellingOf(definition: Json): Spelling {
  const { type } = (definition.decoder ?? {}) as { type?: string };
  if (type === "ByteLevel") return "bytes";
  return type === "WordPiece" ? "wordpiece" : "metaspace";
}

/** What of a whole encoding lies before, between and after the texts' own ids. */
function specialsAround(whole: readonly number[], texts: readonly EncodedText[]): number[][] {
  let at = 0;
  const specials = texts.map(({ ids }) => {
    const begin = at;
    while (at + ids.length <= whole.length && ids.some((id, i) => whole[at + i] !== id)) at++;
    if (at + ids.length > whole.length)
      throw new InputError(
        "text: its tokens must stay the same between special tokens, they do not; give token ids to forward()",
      );
    const found = whole.slice(begin, at);
    at += ids.length;
    return found;
  });
  return [...specials, whole.slice(at)];
}
