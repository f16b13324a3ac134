import { checkOptions, SIGNAL } from "../runtime/checks.js";
import { type CheckpointLike, openFolder } from "./checkpoint/checkpoint.js";
import { requireTokenizer } from "./text/checks.js";
import { readTokenizer, type Tokenizer } from "./text/tokenizer.js";

/** How a caller stops the reading of a tokenizer. */
export interface TokenizerHooks {
  readonly signal?: AbortSignal;
}

/** See `loadTokenizer` in index.ts. */
export async function loadTokenizer(source: CheckpointLike, options: TokenizerHooks): Promise<Tokenizer> {
  checkOptions("loadTokenizer", options, { signal: SIGNAL });
  const folder = openFolder(source, options.signal);
  return requireTokenizer(folder, await readTokenizer(folder));
}
