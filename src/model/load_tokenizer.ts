import { checkOptions, SIGNAL } from "../runtime/checks.js";
import { type CheckpointLike, openFolder, type OpenOptions } from "./checkpoint/checkpoint.js";
import { HUB_OPTIONS } from "./load_options.js";
import { requireTokenizer } from "./text/checks.js";
import { readTokenizer, type Tokenizer } from "./text/tokenizer.js";

/** How to find a tokenizer on the Hub, and to stop its reading. */
export type TokenizerHooks = OpenOptions;

/** See `loadTokenizer` in index.ts. */
export async function loadTokenizer(source: CheckpointLike, options: TokenizerHooks): Promise<Tokenizer> {
  checkOptions("loadTokenizer", options, { ...HUB_OPTIONS, signal: SIGNAL });
  const folder = openFolder(source, options);
  return requireTokenizer(folder, await readTokenizer(folder));
}
