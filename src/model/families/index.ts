import { CheckpointError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { bert, roberta } from "./bert.js";
import { distilbert } from "./distilbert.js";
import type { Family } from "./family.js";
import { gpt2 } from "./gpt2.js";
import { llama, qwen2, qwen3 } from "./llama.js";
import { marian } from "./marian.js";

const FAMILIES: readonly Family[] = [bert, distilbert, gpt2, llama, marian, qwen2, qwen3, roberta];

/** The family of a checkpoint. Throws CheckpointError listing those known. */
export function familyOf(label: string, config: Json): Family {
  const found = FAMILIES.find(({ model_type }) => model_type === config.model_type);
  if (!found) {
    const known = FAMILIES.map(({ model_type }) => model_type).join(", ");
    throw new CheckpointError(
      `${label}/config.json: model_type must be one of ${known}, got ${JSON.stringify(config.model_type)}`,
    );
  }
  return found;
}
