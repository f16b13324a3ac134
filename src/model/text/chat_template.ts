import { checkOptions, FLAG } from "../../runtime/checks.js";
import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { Folder, Json } from "../checkpoint/checkpoint.js";
import { CHAT_RULES } from "./chat_rules.js";
import { checkConversation, type Conversation, flattened } from "./messages.js";

/** How a conversation becomes a text. */
export interface ChatTemplateOptions {
  /** What the model may call, each as a JSON schema: `{ type: "function", function: { name, description, parameters } }`. */
  readonly tools?: readonly object[];
  /** What the model may read, such as `{ title, text }`. */
  readonly documents?: readonly object[];
  /** The name of one of the checkpoint's templates, or a template. Default: as in Transformers, `tool_use` with tools. */
  readonly chat_template?: string;
  /** Further variables of the template, such as `{ enable_thinking: false }`. */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
  /** End with what begins the reply of the assistant. Default false. */
  readonly add_generation_prompt?: boolean;
  /** Leave the last message open, to be continued: its content, or the field that is named. Default false. */
  readonly continue_final_message?: boolean | string;
}

/** The text of a conversation, or of each of a list of conversations; the ids of its tokens with `tokenize: true`. */
export type Rendered<C extends Conversation | readonly Conversation[], T extends boolean> = C extends Conversation
  ? T extends true
    ? number[]
    : string
  : (T extends true ? number[] : string)[];

/** What turns conversations into texts. */
export interface ChatTemplates {
  /** Whether the checkpoint has a chat template. */
  has_chat_template(): Promise<boolean>;
  /**
   * The text of a conversation, or of each of a list of conversations, by the checkpoint's chat template: `chat_template.jinja`,
   * that of tokenizer_config.json, or `chat_template.json`. It has the special tokens in it: encode it with
   * `add_special_tokens: false`, or take its ids with `tokenize: true`. Throws InputError that says which message is wrong, or
   * what the template says, and OptionError.
   * @example
   * const tokenizer = await loadTokenizer("Qwen/Qwen3-0.6B");
   * const messages = [{ role: "user", content: "Who are you?" }];
   * const text = await tokenizer.apply_chat_template(messages, { add_generation_prompt: true });
   */
  apply_chat_template<C extends Conversation | readonly Conversation[], T extends boolean = false>(
    messages: C,
    options?: ChatTemplateOptions & { readonly tokenize?: T },
  ): Promise<Rendered<C, T>>;
}

const OPTIONS = { ...CHAT_RULES, tokenize: FLAG };

type Render = (variables: Readonly<Record<string, unknown>>) => string;

/** The chat templates of a checkpoint. `special` are its special tokens by name, `encode` gives the ids of a text. */
export function createChatTemplates(
  { label, text, json }: Folder,
  config: Json,
  special: Readonly<Record<string, string>>,
  encode: (text: string) => readonly number[],
): ChatTemplates {
  let reading: Promise<ReadonlyMap<string, string>> | undefined;
  const templates = (): Promise<ReadonlyMap<string, string>> =>
    (reading ??= readTemplates({ label, text, json }, config));
  const compiled = new Map<string, Promise<Render>>();
  const compile = (template: string): Promise<Render> => {
    const known =
      compiled.get(template) ?? import("./jinja.js").then(({ compileTemplate }) => compileTemplate(template));
    compiled.set(template, known);
    return known;
  };

  /** The template of a call. Throws OptionError and InputError. */
  const choose = async ({ chat_template: name, tools }: ChatTemplateOptions): Promise<string> => {
    if (name !== undefined && /\{[{%]/.test(name)) return name;
    const all = await templates();
    const more = async (wanted: string): Promise<string | undefined> =>
      all.get(wanted) ?? (/^[\w.-]+$/.test(wanted) ? text(`additional_chat_templates/${wanted}.jinja`) : undefined);
    const found = name === undefined ? ((tools && (await more("tool_use"))) ?? all.get("default")) : await more(name);
    if (found !== undefined) return found;
    const names = [...all.keys()].map(show).join(", ");
    if (name !== undefined)
      throw new OptionError(
        `apply_chat_template: chat_template must be a template or the name of one${names && `, ${names}`}; got ${show(name)}`,
      );
    throw new InputError(
      names
        ? `apply_chat_template: chat_template must be one of ${names}, as ${label} has no default; got nothing`
        : `apply_chat_template: ${label} must have a chat template, found none; give one as chat_template, or a text instead of messages`,
    );
  };

  const render = async (given: unknown, options: ChatTemplateOptions): Promise<string> => {
    const { tools, documents, chat_template_kwargs, add_generation_prompt = false } = options;
    const conversation = checkConversation(given);
    const template = await choose(options);
    const field = options.continue_final_message ?? false;
    const rest = { tools: tools ?? null, documents: documents ?? null, add_generation_prompt };
    const guarded = (run: () => string): string => {
      try {
        return run();
      } catch (cause) {
        throw new InputError(`apply_chat_template: the template refuses these messages: ${(cause as Error).message}`, {
          cause,
        });
      }
    };
    const fill = await compile(template).catch((cause: Error) => {
      throw new InputError(`apply_chat_template: the template must be one of Jinja, ${cause.message}`, { cause });
    });
    const write = (messages: Conversation): string =>
      guarded(() => fill({ ...special, ...rest, ...chat_template_kwargs, messages }));
    const hasParts = conversation.some(({ content }) => Array.isArray(content));
    const messages = hasParts && !takesParts(write) ? flattened(conversation) : conversation;
    return field !== false ? continued(write, messages, field === true ? "content" : field, template) : write(messages);
  };

  return {
    has_chat_template: async () => (await templates()).size > 0,
    async apply_chat_template(given, options = {}) {
      checkOptions("apply_chat_template", options, OPTIONS);
      const { tokenize = false, ...choices } = options;
      if (choices.add_generation_prompt && choices.continue_final_message)
        throw new OptionError(
          "apply_chat_template: add_generation_prompt must be false with continue_final_message, which leaves the last message open; give one of them",
        );
      const isBatch = Array.isArray(given) && Array.isArray(given[0]);
      const list: readonly unknown[] = isBatch ? given : [given];
      const texts = await Promise.all(list.map((one) => render(one, choices)));
      const results = tokenize ? texts.map(encode) : texts;
      return (isBatch ? results : results[0]) as never;
    },
  };
}

/** The templates of a checkpoint by their names: those of files first, as in Transformers. Throws CheckpointError. */
async function readTemplates(
  { label, text, json }: Pick<Folder, "label" | "text" | "json">,
  { chat_template }: Json,
): Promise<ReadonlyMap<string, string>> {
  const own = await text("chat_template.jinja");
  const found: unknown = own ?? chat_template ?? (await json("chat_template.json"))?.chat_template ?? {};
  if (typeof found === "string") return new Map([["default", found]]);
  const list: readonly (Partial<Json> | null)[] = Array.isArray(found) ? found : [];
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(found)
    ? list.map((one) => [one?.name, one?.template])
    : Object.entries(found as object);
  const isNamed = (entry: readonly [unknown, unknown]): entry is readonly [string, string] =>
    entry.every((one) => typeof one === "string");
  if (typeof found === "object" && entries.every(isNamed)) return new Map(entries);
  throw new CheckpointError(
    `${label}: chat_template must be a template, or a list of templates with name and template, got ${show(found)}`,
  );
}

const PROBE = "a text of parts";

/** Whether a template writes the texts of parts: what it makes of a message of one part must have the text alone. */
function takesParts(write: (messages: Conversation) => string): boolean {
  try {
    const written = write([{ role: "user", content: [{ type: "text", text: PROBE }] }]);
    return written.includes(PROBE) && !/['"]type['"]/.test(written);
  } catch {
    return false;
  }
}

const MARK = "CONTINUE_FINAL_MESSAGE_TAG ";

/**
 * The text of a conversation up to the end of a field of its last message, as Transformers cuts it: by a mark at the end of
 * the field. Throws InputError.
 */
function continued(
  write: (messages: Conversation) => string,
  messages: Conversation,
  field: string,
  template: string,
): string {
  const last = messages[messages.length - 1];
  const value = last[field];
  const parts = Array.isArray(value) ? (value as readonly Json[]) : undefined;
  const at = parts?.findLastIndex(({ text }) => typeof text === "string") ?? -1;
  const final = parts ? parts[at]?.text : value;
  const refuse = (what: string): Error => new InputError(`apply_chat_template: continue_final_message: ${what}`);
  if (typeof final !== "string")
    throw refuse(`the last message must have a text as ${field}, got ${show(parts ? undefined : value)}`);
  if (!template.includes(field)) throw refuse(`the template must read ${field}, it does not`);
  const tagged = parts ? parts.map((part, i) => (i === at ? { ...part, text: final + MARK } : part)) : final + MARK;
  const written = write([...messages.slice(0, -1), { ...last, [field]: tagged }]);
  const end = written.lastIndexOf(MARK.trim());
  if (end < 0 || !written.includes(final.trim()))
    throw refuse("the template must write the last message as it is, it changes it");
  const before = written.slice(0, end);
  return written.startsWith(MARK, end) ? before : before.trimEnd();
}
