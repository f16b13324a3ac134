import type { ChatMessage, Conversation, TextOptions } from "../index.js";
import { FLAG, wholeNumber } from "../runtime/checks.js";
import type { Asked, Format, Piece, Shown } from "./answers.js";
import { invalid } from "./errors.js";
import { ANY, CHAT_REFUSED, type FieldTable, GENERATION_FIELDS, readFields, streamOf } from "./fields.js";
import { EXTENSIONS, optionsOf } from "./options.js";
import type { TextModel } from "./text_model.js";

const USUAL = 1024; // tokens of a reply
const TEMPLATE = ["add_generation_prompt", "continue_final_message", "chat_template_kwargs", "documents"];

/** The fields of POST /v1/chat/completions. */
export const CHAT_FIELDS: FieldTable = {
  taken: {
    ...GENERATION_FIELDS,
    messages: ANY,
    max_completion_tokens: wholeNumber(1),
    logprobs: FLAG,
    top_logprobs: wholeNumber(0, 128),
    ...EXTENSIONS,
    ...Object.fromEntries(TEMPLATE.map((name) => [name, ANY])),
  },
  refused: CHAT_REFUSED,
  needed: ["model", "messages"],
};

const logprobsOf = (shown: Shown | undefined): object | null => (shown ? { content: shown, refusal: null } : null);

const FORMAT: Format = {
  prefix: "chatcmpl",
  objects: ["chat.completion", "chat.completion.chunk"],
  choice: ({ index, text, shown, finish_reason, score }: Piece) => ({
    index,
    message: { role: "assistant", content: text, refusal: null },
    logprobs: logprobsOf(shown),
    finish_reason,
    ...(score !== undefined && { score }),
  }),
  begin: (index) => ({ index, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }),
  delta: ({ index, text, shown, finish_reason }: Piece) => ({
    index,
    delta: text ? { content: text } : {},
    logprobs: logprobsOf(shown),
    finish_reason: finish_reason ?? null,
  }),
};

/** What a body of POST /v1/chat/completions asks for. Throws ApiError. */
export function readChat(body: unknown, { model }: TextModel, chat_template: string | undefined): Asked {
  const fields = readFields(body, CHAT_FIELDS);
  const { logprobs = false, top_logprobs, max_tokens, max_completion_tokens, priority, stop } = fields;
  if (max_tokens !== undefined && max_completion_tokens !== undefined)
    throw invalid("max_tokens", "max_tokens: must be absent with max_completion_tokens; give one of them");
  if (top_logprobs && !logprobs) throw invalid("top_logprobs", "top_logprobs: must be absent without logprobs: true");
  const own = Object.fromEntries(Object.entries(fields).filter(([name]) => TEMPLATE.includes(name)));
  return {
    name: String(fields.model),
    format: FORMAT,
    input: messagesOf(fields.messages),
    options: {
      ...optionsOf(fields, model.generationDefaults, false),
      ...(own as TextOptions),
      ...(chat_template !== undefined && { chat_template }),
      ...(Boolean(logprobs) && { output_scores: true, top_logprobs: top_logprobs as number | undefined }),
    },
    max_tokens: (max_tokens ?? max_completion_tokens) as number | undefined,
    usual_tokens: USUAL,
    priority: priority as number | undefined,
    stops: [stop ?? []].flat() as string[],
    logprobs: Boolean(logprobs),
    ...streamOf(fields),
  };
}

/**
 * The messages of a body: those of a developer are those of a system, as templates know them. Throws ApiError for a list
 * that the template could not be given, and for calls of tools.
 */
function messagesOf(given: unknown): Conversation {
  if (!Array.isArray(given) || given.length === 0 || typeof given[0] !== "object" || given[0] === null)
    throw invalid("messages", "messages: must be a list of messages, of which there is at least one");
  return (given as ChatMessage[]).map((message, index) => {
    if (message?.tool_calls || message?.role === "tool")
      throw invalid(
        "messages",
        `messages: message ${index} must not be of a tool; write the result into a message of the user`,
      );
    return message?.role === "developer" ? { ...message, role: "system" } : message;
  });
}
