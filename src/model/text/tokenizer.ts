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
  /** The range of each token in the text. Throws InputError when tokens of this tokenizer cannot be found in it. */
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
  try {
    return createCodec(new Tokenizer(definition, config), definition, config);
  } catch (cause) {
    throw new CheckpointError(
      `${checkpoint.label}/tokenizer.json: must be a tokenizer of Hugging Face, ${(cause as Error).message}`,
      { cause },
    );
  }
}

function createCodec(tokenizer: Tokenizer, definition: Json, config: Json): TextCodec {
  const unknown = tokenizer.token_to_id(
    String(config.unk_token ?? (definition.model as { unk_token?: string } | undefined)?.unk_token),
  );
  const unknownToken = unknown === undefined ? undefined : tokenizer.id_to_token(unknown);
  const spelling = spellingOf(definition);
  const encodeText = (text: string): EncodedText => {
    const { ids, tokens } = tokenizer.encode(text, { add_special_tokens: false });
    return {
      ids,
      tokens,
      unknown: ids.filter((id: number) => id === unknown).length,
      ranges: () => alignTokens({ text, tokens, spelling, unknown: unknownToken }),
    };
  };
  const specials = new Map<number, TextParts["specials"]>(); // by the number of texts
  return {
    longest: Number(config.model_max_length) < 2 ** 31 ? Number(config.model_max_length) : undefined,
    encodeParts(text, pair) {
      const texts = (pair === undefined ? [text] : [text, pair]).map((one) => encodeText(checkText(one)));
      const around = specials.get(texts.length) ?? findSpecials(tokenizer, texts.length);
      specials.set(texts.length, around);
      return { texts, specials: around };
    },
    decode: (ids) => tokenizer.decode([...ids], { skip_special_tokens: true }).trim(),
    encode(text, allowUnknown) {
      const { ids } = tokenizer.encode(checkText(text));
      if (!allowUnknown && unknown !== undefined && ids.includes(unknown))
        throw unknownLetters(tokenizer, text, unknown);
      return ids;
    },
  };
}

function unknownLetters(tokenizer: Tokenizer, text: string, unknown: number): InputError {
  const strange = [...new Set(text)].filter((letter) => tokenizer.encode(letter).ids.includes(unknown));
  const which = strange.map((letter) => JSON.stringify(letter)).join(", ") || "some";
  return new InputError(
    `text: ${JSON.stringify(text)} must consist of what the model's vocabulary knows, ${which} is not in it; leave it out, or pass allow_unknown: true`,
  );
}

function checkText(text: unknown): string {
  if (typeof text !== "string") throw new InputError(`text: must be a string, got ${JSON.stringify(text)}`);
  if (!text.trim()) throw new InputError("text: must hold at least one character, got an empty text");
  return text;
}

function spellingOf(definition: Json): Spelling {
  const { type } = (definition.decoder ?? {}) as { type?: string };
  if (type === "ByteLevel") return "bytes";
  return type === "WordPiece" ? "wordpiece" : "metaspace";
}

const PROBES = ["a", "b"]; // any texts do: special tokens do not depend on what they surround

/** The special tokens before, between and after one or two texts: what surrounds the tokens of probes. */
function findSpecials(tokenizer: Tokenizer, texts: number): number[][] {
  const [text, text_pair] = PROBES.slice(0, texts);
  const whole = tokenizer.encode(text, { text_pair }).ids;
  let at = 0;
  const specials = PROBES.slice(0, texts).map((probe) => {
    const { ids } = tokenizer.encode(probe, { add_special_tokens: false });
    const begin = at;
    while (at + ids.length <= whole.length && ids.some((id: number, i: number) => whole[at + i] !== id)) at++;
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
