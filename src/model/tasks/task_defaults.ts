import type { Checkpoint } from "../checkpoint/checkpoint.js";
import { legacyFields } from "../decode/defaults.js";
import { taskParams } from "./task_params.js";

/**
 * The checkpoint with the parameters of a task as its own options of `generate()`, as the pipelines of Transformers
 * update them: a call has precedence over them, and they over generation_config.json.
 */
export function withTaskParams(checkpoint: Checkpoint, task: string): Checkpoint {
  const { prefix: _, ...options } = taskParams(checkpoint.config, task);
  if (Object.keys(options).length === 0) return checkpoint;
  const { generationConfig, config } = checkpoint;
  return { ...checkpoint, generationConfig: { ...(generationConfig ?? legacyFields(config)), ...options } };
}
