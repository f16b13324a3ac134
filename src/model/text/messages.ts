import { InputError, show } from "../../runtime/errors.js";

/** A part of a message's content: `{ type: "text", text }`, or of another type that the chat template knows. */
export interface ContentPart {
  /** "text", or what else the chat template knows. */
  readonly type: string;
  /** Its text, where it is one. */
  readonly text?: string;
  readonly [field: string]: unknown;
}

/** A message of a conversation. The chat template decides which roles there are, and which further fields it reads. */
export interface ChatMessage {
  /** Such as system, user, assistant or tool. */
  readonly role: string;
  /** A text, or parts. It may be null or absent beside `tool_calls`. */
  readonly content?: string | readonly ContentPart[] | null;
  readonly [field: string]: unknown;
}

/** What was said so far, oldest first. */
export type Conversation = readonly ChatMessage[];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value can only be meant as a conversation: a list that begins with an object. */
export const isConversation = (value: unknown): value is Conversation => Array.isArray(value) && isObject(value[0]);

/** The messages of a conversation. Throws InputError that says which one is wrong, and in what. */
export function checkConversation(given: unknown): Conversation {
  if (!Array.isArray(given)) throw new InputError(`messages: must be a list of messages, got ${show(given)}`);
  if (given.length === 0) throw new InputError("messages: must hold at least one message, got none");
  return Array.from<unknown, ChatMessage>(given, (message, index) => {
    const refuse = (what: string, got: unknown): Error =>
      new InputError(`messages: message ${index}${what}, got ${show(got)}`);
    if (!isObject(message)) throw refuse(" must be an object with role and content", message);
    const { role, content, tool_calls } = message;
    if (typeof role !== "string") throw refuse(": role must be a text, such as user", role);
    const isBare = (content ?? undefined) === undefined && tool_calls !== undefined;
    if (!isBare && typeof content !== "string" && !Array.isArray(content))
      throw refuse(`: content of ${show(role)} must be a text or a list of parts`, content);
    if (Array.isArray(content)) content.forEach((part, at) => checkPart(part, `${index}: part ${at}`));
    const given = Object.entries(message).filter(([, value]) => value !== undefined);
    return Object.fromEntries(given) as unknown as ChatMessage;
  });
}

function checkPart(part: unknown, where: string): void {
  if (!isObject(part) || typeof part.type !== "string")
    throw new InputError(
      `messages: message ${where} must be an object with a type, such as { type: "text", text }, got ${show(part)}`,
    );
  if (part.type === "text" && typeof part.text !== "string")
    throw new InputError(`messages: message ${where} must have a text, got ${show(part.text)}`);
}

/** The conversation with the text parts of each content as one text. Throws InputError for other parts. */
export const flattened = (conversation: Conversation): Conversation =>
  conversation.map((message, index) =>
    Array.isArray(message.content)
      ? {
          ...message,
          content: (message.content as readonly ContentPart[])
            .map(({ type, text }) => {
              if (type === "text") return text;
              throw new InputError(
                `messages: message ${index} must have parts of type text alone, got ${show(type)}; the chat template takes no others`,
              );
            })
            .join("\n"),
        }
      : message,
  );

/** The conversation with a reply at its end, or with its last message continued by it. */
export function withReply(conversation: Conversation, reply: string, continues: boolean): ChatMessage[] {
  const last = conversation[conversation.length - 1];
  if (!continues) return [...conversation, { role: "assistant", content: reply }];
  const { content } = last;
  if (!Array.isArray(content))
    return [...conversation.slice(0, -1), { ...last, content: `${content as string}${reply}` }];
  const parts = content as readonly ContentPart[];
  const at = parts.findLastIndex(({ text }) => text !== undefined);
  const longer = parts.map((part, i) => (i === at ? { ...part, text: `${part.text}${reply}` } : part));
  return [...conversation.slice(0, -1), { ...last, content: longer }];
}
