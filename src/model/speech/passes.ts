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

/** The logits of one pass over each target, f32[T,V]. */
export async function logitsOf(
  core: DecoderCore,
  targets: TokenLists,
  sources: readonly Source[],
): Promise<Float32Array[]> {
  const results = await forward(core, { targets, sources }, { logits: true });
  return results.targets.map(({ logits }) => logits);
}

/** The logits after the last token of each target, f32[V]. */
export async function lastLogits(
  core: DecoderCore,
  targets: TokenLists,
  sources: readonly Source[],
): Promise<Float32Array[]> {
  const logits = await logitsOf(core, targets, sources);
  return logits.map((own) => own.subarray(-core.architecture.V));
}
