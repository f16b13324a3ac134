import { CheckpointError, show } from "../../runtime/errors.js";
import { type Checkpoint, renamed } from "../checkpoint/checkpoint.js";
import type { Architecture } from "../graph/architecture.js";
import type { Family } from "./family.js";

// The page of each model_type, which is loaded when a checkpoint of it is.
const FAMILIES: Readonly<Record<string, () => Promise<Family>>> = {
  bart: async () => (await import("./bart.js")).bart,
  bert: async () => (await import("./bert.js")).bert,
  distilbert: async () => (await import("./distilbert.js")).distilbert,
  gpt2: async () => (await import("./gpt2.js")).gpt2,
  llama: async () => (await import("./llama.js")).llama,
  m2m_100: async () => (await import("./m2m_100.js")).m2m_100,
  marian: async () => (await import("./marian.js")).marian,
  mbart: async () => (await import("./mbart.js")).mbart,
  moonshine: async () => (await import("./moonshine.js")).moonshine,
  mt5: async () => (await import("./t5.js")).mt5,
  pegasus: async () => (await import("./pegasus.js")).pegasus,
  qwen2: async () => (await import("./llama.js")).qwen2,
  qwen3: async () => (await import("./llama.js")).qwen3,
  roberta: async () => (await import("./bert.js")).roberta,
  t5: async () => (await import("./t5.js")).t5,
  umt5: async () => (await import("./t5.js")).umt5,
  whisper: async () => (await import("./whisper.js")).whisper,
};

/** A checkpoint and what its family says of it. */
export interface Description {
  readonly family: Family;
  /** The checkpoint with the tensor names that the family uses. */
  readonly checkpoint: Checkpoint;
  readonly architecture: Architecture;
}

/** Finds the family of a checkpoint and reads its architecture. Throws CheckpointError if either is not supported. */
export async function describeCheckpoint(folder: Checkpoint): Promise<Description> {
  const { label, config } = folder;
  const type = config.model_type;
  if (typeof type !== "string" || !Object.hasOwn(FAMILIES, type)) {
    const known = Object.keys(FAMILIES).join(", ");
    throw new CheckpointError(`${label}/config.json: model_type must be one of ${known}, got ${show(type)}`);
  }
  const family = await FAMILIES[type]();
  const { prefix, aliases = {}, rename = (name: string) => name } = family;
  const meant = Object.entries(aliases).filter(([alias, key]) => alias in config && !(key in config));
  const inside = `${prefix}.`;
  const checkpoint = {
    ...renamed(folder, (name) => rename(name.startsWith(inside) ? name.slice(inside.length) : name)),
    config: { ...config, ...Object.fromEntries(meant.map(([alias, key]) => [key, config[alias]])) },
  };
  return { family, checkpoint, architecture: family.architecture(checkpoint.config, checkpoint.entries) };
}
