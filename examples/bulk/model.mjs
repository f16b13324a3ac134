// A model that writes texts or makes vectors, once loaded.
import { defaultTask, openCheckpoint, pipeline } from "wgformer";

const WRITES = ["text2text", "text-generation", "translation", "summarization"];

/**
 * A model as `work` takes it. A job has as many tokens as its prompt, and as each of its beams may write.
 * @param {string} model
 * @param {import("wgformer").LoadOptions} [load]
 * @param {string} [asked] The task, where it is not that of the checkpoint.
 */
export async function openModel(model, load, asked) {
  const checkpoint = await openCheckpoint(model);
  const kind = asked ?? (await defaultTask(checkpoint));
  const task = await pipeline(/** @type {"text-generation"} */ (kind), checkpoint, load);
  const writes = WRITES.includes(kind);
  if (!writes && kind !== "feature-extraction")
    throw new Error(`--task must be feature-extraction, or one of ${WRITES.join(", ")}; got ${kind}`);
  const defaults = writes ? task.model.generationDefaults.options : {};
  const pooling = (await checkpoint.list("modules.json")) ? {} : { pooling: "mean" }; // sentence-transformers say theirs
  let lost = false;
  task.model.gpu.listen({ onDeviceLost: () => (lost = true) });
  /** @param {import("./queue.mjs").Task} task */
  function sizeOf({ input, options }) {
    const { max_new_tokens, max_length = 20, num_beams = 1 } = { ...defaults, ...options };
    const prompt = task.tokenizer.count(typeof input === "string" ? input : JSON.stringify(input));
    return prompt + (writes ? Number(num_beams) * Number(max_new_tokens ?? max_length) : 0);
  }
  return {
    sizeOf,
    isLost: () => lost,
    dispose: () => task.dispose(),
    /** @type {import("./worker.mjs").Work["run"]} */
    async run(inputs, options) {
      /** @type {object} */
      const own = writes ? { batch_size: inputs.length } : pooling;
      const results = await task(inputs, { ...own, ...options });
      return results.map((one) => (writes ? { results: one } : numbers(one)));
    },
  };
}

/** A result with its vectors as JSON has them, without digits that f32 does not have. */
const numbers = (/** @type {object} */ result) => JSON.parse(JSON.stringify(result, rounded));
const rounded = (/** @type {string} */ _, /** @type {unknown} */ value) =>
  value instanceof Float32Array ? Array.from(value, (x) => Number(x.toPrecision(9))) : value;
