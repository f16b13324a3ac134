import type { GenerateResult } from "../decode/generate.js";
import type { GenerateInputs } from "../decode/job.js";
import { longest, type TokenLists } from "../inputs.js";
import type { CallOptions, Model } from "../model.js";
import { createDetokenizer, type Detokenizer } from "../text/detokenizer.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { endingOf } from "./generated.js";
import type { Prompt } from "./text_inputs.js";
import type { TextEvent } from "./text_task.js";

/** A call of `generate()`; each result begins with the tokens `given` of its prompt. */
export interface TextCall {
  readonly inputs: GenerateInputs;
  readonly options: CallOptions;
  readonly given: TokenLists;
}

/** What a stream of texts comes from: a model, or whatever answers as its `stream` does. */
export interface StreamParts {
  readonly model: Pick<Model, "generationDefaults" | "stream">;
  readonly tokenizer: Tokenizer;
}

/** Generates from a batch of prompts and yields pieces of text; the last event of each row tells how it ended. */
export async function* streamTexts(
  { model, tokenizer }: StreamParts,
  prompts: readonly Prompt[],
  { inputs, options, given }: TextCall,
): AsyncGenerator<TextEvent> {
  const results = options.num_return_sequences ?? model.generationDefaults.options.num_return_sequences ?? 1;
  const promptOf = (row: number): Prompt => prompts[Math.floor(row / results)];
  let result: GenerateResult | undefined;
  const running = (async function* () {
    result = yield* model.stream(inputs, options);
  })();
  const replies = createReplies(tokenizer);
  const isReply = ({ messages, continues }: Prompt): boolean => messages !== undefined && !continues;
  for await (const { text = "", ...event } of running) {
    const { row, token_ids } = event;
    yield { ...event, text: isReply(promptOf(row)) ? replies(row, token_ids, false) : text };
  }
  if (!result) return;
  const { sequences, lengths } = result;
  const width = longest(given);
  for (const row of sequences.keys()) {
    const prompt = promptOf(row);
    const text = isReply(prompt) ? replies(row, [], true) : "";
    yield { row, token_ids: [], text, ...endingOf(prompt, result, row, lengths[row] - width) };
  }
}

/** Gives the pieces of replies, which are texts of their own: they begin as if there were no prompt. */
function createReplies(tokenizer: Tokenizer) {
  const rows = new Map<number, { readonly ids: number[]; readonly detokenize: Detokenizer }>();
  return (row: number, token_ids: readonly number[], last: boolean): string => {
    const reply = rows.get(row) ?? { ids: [], detokenize: createDetokenizer(tokenizer, []) };
    rows.set(row, reply);
    reply.ids.push(...token_ids);
    return reply.detokenize(reply.ids, last);
  };
}
