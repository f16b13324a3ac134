import { Tokenizer } from "@huggingface/tokenizers";
import { CheckpointError, InputError } from "../runtime/errors.js";
import type { Checkpoint } from "./checkpoint.js";

/** Text to token ids and back, by the checkpoint's own `tokenizer.json`. */
export interface TextCodec {
  /** Throws InputError for empty text, and for characters outside the vocabulary unless `allowUnknown`. */
  encode(text: string, allowUnknown: boolean): number[];
  /** Special tokens are left out. */
  decode(ids: readonly number[]): string;
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
  return {
    decode: (ids) => tokenizer.decode([...ids], { skip_special_tokens: true }).trim(),
    encode(text, allowUnknown) {
      if (typeof text !== "string") throw new InputError(`text: must be a string, got ${JSON.stringify(text)}`);
      if (!text.trim()) throw new InputError("text: must hold at least one character, got an empty text");
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
