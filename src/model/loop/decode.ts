import type { DecoderCore } from "../core.js";
import type { Job } from "../decode/job.js";
import { createLoop, type Loop } from "./loop.js";
import type { Decode } from "./call.js";
import { joinSizes, type LoopSizes, sizeOf } from "./sizes.js";
import { createLoopState, type LoopState } from "./state.js";
import { CHUNK } from "./prompts.js";
import type { Generation } from "../decode/resolve.js";

/**
 * The whole decoding loop on the device for one job (FasterTransformer's `Decoding`): greedy search, sampling, or beam
 * search as in Transformers 5, in a loop of its own whose memory stays for calls of the same sizes. Rejects with
 * InputError when the logits are not finite, OptionError when no token is allowed, and the signal's reason when it aborts.
 */
export const decodeAlone =
  (core: DecoderCore): Decode =>
  async (job, g, hooks) => {
    hooks?.signal?.throwIfAborted();
    const opened = await openLoop(core, sizeOf(job, g));
    try {
      return await decodeIn(opened.loop)(job, g, hooks);
    } finally {
      await opened.close();
    }
  };

/** Decodes in this loop, beside what else is in it. */
export const decodeIn =
  (loop: Loop): Decode =>
  async (job, g, hooks = {}) => {
    const { signal } = hooks;
    signal?.throwIfAborted();
    const { call, result } = loop.add(job, g, hooks);
    const abort = (): void => loop.cancel(call, signal?.reason);
    signal?.addEventListener("abort", abort);
    return result.finally(() => signal?.removeEventListener("abort", abort));
  };

/** Decodes jobs, each with options of its own, in a loop that they share until it is closed. */
export function decodeTogether(
  core: DecoderCore,
  jobs: readonly { readonly job: Job; readonly g: Generation }[],
): { readonly decode: Decode; close(): Promise<void> } {
  const opening = openLoop(core, joinSizes(jobs.map(({ job, g }) => sizeOf(job, g))));
  opening.catch(() => {});
  return {
    decode: async (...call) => decodeIn((await opening).loop)(...call),
    close: async () => {
      const opened = await opening.catch(() => undefined); // each decoding tells it
      await opened?.close();
    },
  };
}

/** A loop of these sizes, on memory that an earlier one left if there is any. */
async function openLoop(core: DecoderCore, sizes: LoopSizes): Promise<{ readonly loop: Loop; close(): Promise<void> }> {
  const key = `loop ${JSON.stringify(sizes)}`;
  const state = await core.idle.acquire(key, async (): Promise<LoopState> => createLoopState(core, sizes));
  const loop = createLoop(core, state, { chunk: CHUNK });
  return {
    loop,
    async close() {
      await loop.stop();
      if (loop.failed) state.dispose();
      else core.idle.release(key, state);
    },
  };
}
