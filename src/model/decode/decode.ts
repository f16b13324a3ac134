import type { DecoderCore } from "../core.js";
import { createLoop } from "./loop.js";
import type { Decode } from "./loop_call.js";
import { sizeOf } from "./loop_sizes.js";
import { createLoopState, type LoopState } from "./loop_state.js";
import { CHUNK } from "./prompts.js";

/**
 * The whole decoding loop on the device for one job (FasterTransformer's `Decoding`): greedy search, sampling, or beam
 * search as in Transformers 5, in a loop of its own whose memory stays for calls of the same sizes. Rejects with
 * InputError when the logits are not finite, OptionError when no token is allowed, and the signal's reason when it aborts.
 */
export const decodeAlone =
  (core: DecoderCore): Decode =>
  async (job, g, hooks = {}) => {
    const { signal } = hooks;
    signal?.throwIfAborted();
    const sizes = sizeOf(job, g);
    const key = `loop ${JSON.stringify(sizes)}`;
    const state = await core.idle.acquire(key, async (): Promise<LoopState> => createLoopState(core, sizes));
    const loop = createLoop(core, state, { prefixes: 0, chunk: CHUNK });
    const { call, result } = loop.add(job, g, hooks);
    const abort = (): void => loop.cancel(call, signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      return await result;
    } finally {
      signal?.removeEventListener("abort", abort);
      loop.stop(undefined);
      if (loop.failed) state.dispose();
      else core.idle.release(key, state);
    }
  };
