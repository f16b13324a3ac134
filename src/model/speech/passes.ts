import type { DecoderCore } from "../core.js";
import { forward } from "../decode/forward.js";
import { encodeAll } from "../encode/batches.js";
import type { SignalInput, Source, TokenLists } from "../inputs.js";

/** The states of windows: each is encoded once, however often it is decoded. */
export async function encodeWindows(
  core: DecoderCore,
  windows: readonly SignalInput[],
  signal: AbortSignal | undefined,
): Promise<Source[]> {
  const encoded = await encodeAll(core, windows, { last_hidden_state: true }, { signal });
  return encoded.map(({ last_hidden_state }, b) => ({
    states: last_hidden_state as Float32Array<ArrayBuffer>,
    length: windows[b].length,
  }));
}

const MOST = 2 ** 24; // logits that a pass gives: 64 MiB

/**
 * The logits after each of the `last` tokens of each target, f32[T,V], by passes of as many targets as 64 MiB of logits
 * allow. Default: after all its tokens.
 */
export async function logitsOf(
  core: DecoderCore,
  targets: TokenLists,
  sources: readonly Source[],
  last = Infinity,
): Promise<Float32Array[]> {
  const { V } = core.architecture;
  const found: Float32Array[] = [];
  while (found.length < targets.length) {
    const first = found.length;
    let end = first;
    for (let rows = 0; end < targets.length; end++) {
      rows += targets[end].length;
      if (end > first && rows * V > MOST) break;
    }
    const job = { targets: targets.slice(first, end), sources: sources.slice(first, end) };
    const results = await forward(core, job, { logits: true });
    found.push(...results.targets.map(({ logits }) => logits.slice(-last * V)));
  }
  return found;
}
