import type { TextTask } from "../../../src/index.js";
import type { WriteOptions } from "./options.js";
import type { Written } from "./passage.js";

const ALTERNATIVES = 8; // of each token

/** A text that is being written: the prompt's tokens, and those after it. */
export interface Draft {
  prompt: readonly number[];
  written: Written[];
}

/** Told of each token, and of how the writing goes. */
export interface WriteListener {
  add(written: Written): void;
  tell(text: string): void;
}

/** Writes on after all tokens of a draft. */
export async function write(
  { model, tokenizer }: TextTask,
  { prompt, written }: Draft,
  options: ReturnType<WriteOptions["read"]>,
  signal: AbortSignal,
  { add, tell }: WriteListener,
): Promise<void> {
  const ids = [...prompt, ...written.map(({ token_id }) => token_id)];
  const room = (model.architecture.decoder?.P ?? 0) - ids.length;
  if (!ids.length) throw new Error("Write a word at least, for the model to go on from.");
  if (room < 1) throw new Error(`The text has ${ids.length} tokens, as many as this model can read; shorten it.`);
  const textOf = (id: number): string => tokenizer.decode([id]);
  const all = {
    ...options,
    max_new_tokens: Math.min(room, options.max_new_tokens),
    top_logprobs: ALTERNATIVES,
    signal,
  };
  let [count, start] = [0, 0]; // the first token comes late: its step compiles
  try {
    for await (const { token_ids, logprobs = [], top_logprobs = [] } of model.stream({ input_ids: [ids] }, all)) {
      token_ids.forEach((token_id, t) => {
        const alternatives = top_logprobs[t].map((one) => ({ ...one, text: textOf(one.token_id) }));
        add({ token_id, text: textOf(token_id), logprob: logprobs[t], alternatives });
      });
      if (!start) start = performance.now();
      else count += token_ids.length;
      tell(rateOf(written.length, count, performance.now() - start));
    }
  } finally {
    const ended = signal.aborted ? "Stopped" : "Done";
    tell(`${ended}: ${rateOf(written.length, count, performance.now() - start)}`);
  }
}

const rateOf = (tokens: number, counted: number, ms: number): string =>
  `${tokens} tokens${counted ? `, ${((1e3 * counted) / ms).toFixed(0)} a second` : ""}`;
