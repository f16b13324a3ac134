import { CheckpointError, InputError, show } from "../../runtime/errors.js";
import type { Folder } from "../checkpoint/checkpoint.js";
import type { Tokenizer } from "./tokenizer.js";

/** A text as it is. Throws InputError for anything else. */
export function checkText(text: unknown, name = "text"): string {
  if (typeof text !== "string") throw new InputError(`${name}: must be a string, got ${show(text)}`);
  return text;
}

/** A tokenizer that must be there. Throws CheckpointError when it is not. */
export function requireTokenizer({ label }: Pick<Folder, "label">, tokenizer: Tokenizer | undefined): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new CheckpointError(
    `${label}: must hold tokenizer.json to take text, found none; save_pretrained() of Transformers writes it, for Marian and M2M100 take that of a conversion for transformers.js, or give token ids to generate()`,
  );
}
