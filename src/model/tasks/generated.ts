import type { GenerateResult } from "../decode/generate.js";
import type { FinishReason } from "../decode/finish.js";
import { longest, type TokenLists } from "../inputs.js";
import type { Model } from "../model.js";
import { continuationOf } from "../text/detokenizer.js";
import { withReply } from "../text/messages.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { alignmentsOf } from "./alignments.js";
import type { Prompt } from "./text_inputs.js";
import type { GeneratedText, TextName, Usage } from "./text_task.js";

/** What a task of texts works with. */
export interface TaskParts {
  /** What the caller calls it. */
  readonly name: string;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
}

/** How results are written. */
export interface TextChoices {
  readonly return_full_text: boolean;
  readonly clean_up_tokenization_spaces?: boolean;
}

/** The results of each prompt of a batch, best first; each begins with the tokens `given` of its prompt. */
export function resultsOf<Name extends TextName>(
  parts: TaskParts,
  textName: Name,
  prompts: readonly Prompt[],
  given: TokenLists,
  result: GenerateResult,
  choices: TextChoices,
): GeneratedText<Name, unknown>[][] {
  const { sequences, sequences_scores, lengths, alternatives, token_scores, top_logprobs } = result;
  const width = longest(given);
  const resultOf = (prompt: Prompt, { length }: readonly number[], row: number): GeneratedText<Name, unknown> => {
    const { truncated } = prompt;
    const token_ids = sequences[row].slice(width - length, lengths[row]); // padding precedes what was given
    const score = sequences_scores?.[row];
    const weights = result.cross_attentions;
    return {
      ...({ [textName]: textOf(parts, prompt, token_ids, length, choices) } as Readonly<Record<Name, unknown>>),
      token_ids,
      ...(score !== undefined && { score }),
      ...(token_scores && { logprobs: token_scores[row] }),
      ...(top_logprobs && { top_logprobs: top_logprobs[row] }),
      ...(weights && { alignments: alignmentsOf(weights, row, token_ids.slice(length), prompt, parts.tokenizer) }),
      ...(truncated !== undefined && { truncated }),
      ...endingOf(prompt, result, row, lengths[row] - width),
    };
  };
  let row = 0;
  return prompts.map((prompt, b) =>
    Array.from({ length: alternatives?.[b] ?? sequences.length / prompts.length }, () =>
      resultOf(prompt, given[b], row++),
    ),
  );
}

/** Why the result of a row ended after so many generated tokens, and how many it took. */
export function endingOf(
  { ids }: Prompt,
  { finish_reasons }: GenerateResult,
  row: number,
  completion_tokens: number,
): { readonly finish_reason: FinishReason; readonly usage: Usage } {
  const prompt_tokens = ids.length;
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  return { finish_reason: finish_reasons[row], usage };
}

/** What was generated, as the caller wants it: a text, or a conversation. */
function textOf(
  { model, tokenizer }: TaskParts,
  prompt: Prompt,
  token_ids: readonly number[],
  length: number,
  { return_full_text, ...clean }: TextChoices,
): unknown {
  if (model.architecture.encoder) return tokenizer.decode(token_ids, { skip_special_tokens: true, ...clean });
  const [before, ids] = [token_ids.slice(0, length), token_ids.slice(length)];
  const { messages, continues = false, text } = prompt;
  const reply = replyOf(tokenizer, prompt, before, ids);
  if (!return_full_text) return reply;
  return messages ? withReply(messages, reply, continues) : text + reply;
}

/** The text of generated tokens: a message of its own, or what goes on where the prompt ended. */
const replyOf = (
  tokenizer: Tokenizer,
  { messages, continues = false }: Prompt,
  before: readonly number[],
  ids: readonly number[],
): string =>
  messages && !continues
    ? tokenizer.decode(ids, { skip_special_tokens: true })
    : continuationOf(tokenizer, before, ids);
