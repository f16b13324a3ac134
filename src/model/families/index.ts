import { CheckpointError, show } from "../../runtime/errors.js";
import { type Checkpoint, renamed } from "../checkpoint/checkpoint.js";
import type { Architecture } from "../graph/architecture.js";
import { bart } from "./bart.js";
import { bert, roberta } from "./bert.js";
import { distilbert } from "./distilbert.js";
import type { Family } from "./family.js";
import { gpt2 } from "./gpt2.js";
import { llama, qwen2, qwen3 } from "./llama.js";
import { m2m_100 } from "./m2m_100.js";
import { marian } from "./marian.js";
import { mbart } from "./mbart.js";
import { moonshine } from "./moonshine.js";
import { pegasus } from "./pegasus.js";
import { mt5, t5, umt5 } from "./t5.js";
import { whisper } from "./whisper.js";

const FAMILIES: readonly Family[] = [
  bart,
  bert,
  distilbert,
  gpt2,
  llama,
  m2m_100,
  marian,
  mbart,
  moonshine,
  mt5,
  pegasus,
  qwen2,
  qwen3,
  roberta,
  t5,
  umt5,
  whisper,
];

/** A checkpoint and what its family says of it. */
export interface Description {
  readonly family: Family;
  /** The checkpoint with the tensor names that the family uses. */
  readonly checkpoint: Checkpoint;
  readonly architecture: Architecture;
}

/** Finds the family of a checkpoint and reads its architecture. Throws CheckpointError if either is not supported. */
export function describeCheckpoint(folder: Checkpoint): Description {
  const { label, config } = folder;
  const family = FAMILIES.find(({ model_type }) => model_type === config.model_type);
  if (!family) {
    const known = FAMILIES.map(({ model_type }) => model_type).join(", ");
    throw new CheckpointError(
      `${label}/config.json: model_type must be one of ${known}, got ${show(config.model_type)}`,
    );
  }
  const { prefix, aliases = {}, rename = (name: string) => name } = family;
  const meant = Object.entries(aliases).filter(([alias, key]) => alias in config && !(key in config));
  const inside = `${prefix}.`;
  const checkpoint = {
    ...renamed(folder, (name) => rename(name.startsWith(inside) ? name.slice(inside.length) : name)),
    config: { ...config, ...Object.fromEntries(meant.map(([alias, key]) => [key, config[alias]])) },
  };
  return { family, checkpoint, architecture: family.architecture(checkpoint.config, checkpoint.entries) };
}
