import type { DecoderCore } from "../core.js";
import { crossAttentions } from "../decode/cross_attentions.js";
import type { TokenLists } from "../inputs.js";
import { tokenTimes } from "./alignment.js";
import { type Row, sourceOf } from "./rows.js";
import { FRAMES_A_TIMESTAMP } from "./segments.js";
import type { WhisperConfig } from "./whisper_config.js";

/** What was decoded in the windows of rows. */
export interface DecodedRows {
  readonly rows: readonly Row[];
  /** The tokens before the text of each window. */
  readonly prompts: TokenLists;
  /** The generated tokens of each window. */
  readonly generated: TokenLists;
}

/** The time of each generated token of each window, in seconds from where the window begins. */
export async function timesOf(
  core: DecoderCore,
  { alignmentHeads: heads = [], medianWidth }: WhisperConfig,
  { rows, prompts, generated }: DecodedRows,
  signal: AbortSignal | undefined,
): Promise<number[][]> {
  const targets = generated.map((tokens, i) => [...prompts[i], ...tokens.slice(0, -1)]);
  const weights = await crossAttentions(core, { targets, sources: rows.map(sourceOf), heads, signal });
  return rows.map(({ spectrum, seek }, i) => {
    const kept = Math.floor((spectrum.spoken - seek) / FRAMES_A_TIMESTAMP);
    const [T, first] = [targets[i].length, prompts[i].length];
    return tokenTimes(weights[i], { heads: heads.length, T, first, kept, medianWidth });
  });
}
