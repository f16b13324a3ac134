import { CheckpointError } from "../../runtime/errors.js";
import { type Checkpoint, renamed } from "../checkpoint/checkpoint.js";
import type { Architecture } from "../graph/architecture.js";
import { bert, roberta } from "./bert.js";
import { distilbert } from "./distilbert.js";
import type { Family } from "./family.js";
import { gpt2 } from "./gpt2.js";
import { llama, qwen2, qwen3 } from "./llama.js";
import { marian } from "./marian.js";

const FAMILIES: readonly Family[] = [bert, distilbert, gpt2, llama, marian, qwen2, qwen3, roberta];

/** A checkpoint in the terms of its family. */
export interface Description {
  readonly family: Family;
  /** Its tensors under the names that the family knows. */
  readonly checkpoint: Checkpoint;
  readonly architecture: Architecture;
}

/**
 * Finds the family of a checkpoint and reads its architecture. Throws CheckpointError for a family or a config we do
 * not have.
 */
export function describeCheckpoint(folder: Checkpoint): Description {
  const { label, config } = folder;
  const family = FAMILIES.find(({ model_type }) => model_type === config.model_type);
  if (!family) {
    const known = FAMILIES.map(({ model_type }) => model_type).join(", ");
    throw new CheckpointError(
      `${label}/config.json: model_type must be one of ${known}, got ${JSON.stringify(config.model_type)}`,
    );
  }
  const checkpoint = family.rename ? renamed(folder, family.rename) : folder;
  return { family, checkpoint, architecture: family.architecture(config, new Set(checkpoint.entries.keys())) };
}
