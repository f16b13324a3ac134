import { checkOptions, SIGNAL } from "../runtime/checks.js";
import { type CheckpointLike, openFolder } from "./checkpoint/checkpoint.js";
import { requireTokenizer } from "./text/checks.js";
import type { Tokenizer } from "./text/tokenizer.js";

/**
 * Reads the tokenizer of a checkpoint without its weights; the source is as in `load`. Throws CheckpointError when there is
 * none or it is broken, and OptionError.
 * @example
 * const tokenizer = await loadTokenizer("models/gpt2-brown");
 * console.log(tokenizer.count("The jury said")); // 3
 */
export async function loadTokenizer(
  source: CheckpointLike,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Tokenizer> {
  checkOptions("loadTokenizer", options, { signal: SIGNAL });
  const folder = openFolder(source, options.signal);
  const { readTokenizer } = await import("./text/tokenizer.js");
  return requireTokenizer(folder, await readTokenizer(folder));
}
