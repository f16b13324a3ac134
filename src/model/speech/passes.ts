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

/** The logits after each token of each target, f32[T,V], of as many targets at a time as 64 MiB allow. */
export async function logitsOf(
  core: DecoderCore,
  targets: TokenLists,
  sources: readonly Source[],
): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  while (found.length < targets.length) {
    const first = found.length;
    let last = first;
    for (let rows = 0; last < targets.length; last++) {
      rows += targets[last].length;
      if (last > first && rows * core.architecture.V > MOST) break;
    }
    const job = { targets: targets.slice(first, last), sources: sources.slice(first, last) };
    const results = await forward(core, job, { logits: true });
    found.push(...results.targets.map(({ logits }) => logits));
  }
  return found;
}

/** The logits after the last token of each target, f32[V]. */
export async function lastLogits(
  core: DecoderCore,
  targets: TokenLists,
  sources: readonly Source[],
): Promise<Float32Array[]> {
  const logits = await logitsOf(core, targets, sources);
  return logits.map((own) => own.slice(-core.architecture.V));
}
