import { checkOption } from "../../runtime/checks.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import type { FinishReason } from "../decode/finish.js";
import type { PastKeyValues } from "../decode/past.js";
import { createLifetime } from "../lifetime.js";
import type { Model } from "../model.js";
import { type ChatMessage, checkConversation, type Conversation, withReply } from "../text/messages.js";
import type { TaskParts } from "./generated.js";
import { checkTextOptions, createReader } from "./reader.js";
import { streamTexts } from "./streamed.js";
import type { TextEvent, TextOptions, Usage } from "./text_task.js";

// Options of texts that a turn has not.
const ELSEWHERE = [
  ...(["batch_size", "progress", "return_full_text", "return_alignments", "clean_up_tokenization_spaces"] as const),
  ...(["return_alternatives", "num_return_sequences", "truncation"] as const),
] as const;

/** The options of a turn of a chat: those of `generate()` and of chat templates. */
export type TurnOptions = Omit<TextOptions, (typeof ELSEWHERE)[number]>;

/** How a chat begins, and what all its turns have unless they say otherwise. */
export interface ChatOptions extends TurnOptions {
  /** The first message, of the system. */
  readonly system?: string;
  /** What was said before, after the message of the system. */
  readonly messages?: Conversation;
}

/** How many tokens a turn took. */
export interface ChatUsage extends Usage {
  /** Of the tokens of the conversation, how many were on the device already. */
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** A piece of a reply; the last one tells how it ended and what it took. */
export interface ChatEvent extends Omit<TextEvent, "row" | "usage"> {
  /** With the last event: how many tokens the turn took. */
  readonly usage?: ChatUsage;
}

/** A reply. */
export interface ChatReply {
  /** The message, as it stands at the end of `messages`. */
  readonly message: ChatMessage;
  /** What was generated of its content: all, unless a message was continued. */
  readonly text: string;
  /** The tokens of the reply, its end included. */
  readonly token_ids: readonly number[];
  /** Why it ended: "stop" by an end token or a stop string, "length" because it may not be longer. */
  readonly finish_reason: FinishReason;
  /** How many tokens the turn took. */
  readonly usage: ChatUsage;
}

/** What is said in a turn: a text of the user, a message, or several, such as the results of tools. */
export type Said = string | ChatMessage | Conversation;

/**
 * A conversation of several turns. Its keys and values stay on the device, so that each turn reads what is new alone; the
 * replies are those of a conversation that is read from its beginning. Release it with `dispose()`.
 */
export interface Chat extends AsyncDisposable {
  /** What was said so far, replies included. */
  readonly messages: ChatMessage[];
  /**
   * Says something and resolves with the reply. When its signal aborts, it rejects with the reason, and the reply is kept
   * in `messages` as far as it came. Throws InputError and OptionError, and then nothing was said.
   */
  send(said: Said, options?: TurnOptions): Promise<ChatReply>;
  /** Like `send`, but yields pieces of the reply as they become final. A loop that is left keeps the reply so far. */
  stream(said: Said, options?: TurnOptions): AsyncGenerator<ChatEvent>;
  /** Frees its memory; the model stays. */
  dispose(): void;
}

/** Opens a chat. Throws InputError for messages that are none, and OptionError. */
export function createChat(parts: TaskParts, options: ChatOptions): Chat {
  checkTurn(options, ["system", "messages"]);
  const { system, messages = [], ...usual } = options;
  if (!Array.isArray(messages)) checkConversation(messages);
  checkOption("chat", "system", system, { words: "a text", holds: (value) => typeof value === "string" });
  const first = [...(system === undefined ? [] : [{ role: "system", content: system }]), ...messages];
  let said: readonly ChatMessage[] = first.length ? checkConversation(first) : [];
  const { read, callOf } = createReader({ ...parts, name: "chat" });
  const memory = createMemory(parts.model);
  const life = createLifetime("chat", "open another", memory.dispose);
  let busy = false;

  async function* stream(next: Said, turn: TurnOptions = {}): AsyncGenerator<ChatEvent> {
    life.check();
    checkTurn(turn);
    if (busy) throw new InputError("chat: must have ended its reply before the next message; await it");
    busy = true;
    try {
      const asked = [...said, ...(typeof next === "string" ? [{ role: "user", content: next }] : [next].flat())];
      const { prompts, choices } = await read(asked, { ...usual, ...turn });
      const [{ ids, continues = false }] = prompts;
      const { past_key_values, cached_tokens } = await life.keepAlive(() => memory.read(ids));
      choices.signal?.throwIfAborted();
      const options = { ...callOf(prompts, choices).options, num_return_sequences: 1 };
      const call = { inputs: { past_key_values }, options, given: [ids] };
      let text = "";
      for await (const { row: _, usage, ...event } of streamTexts(parts, prompts, call)) {
        text += event.text;
        if (text || usage) said = withReply(asked, text, continues);
        yield { ...event, ...(usage && { usage: { ...usage, prompt_tokens_details: { cached_tokens } } }) };
      }
    } finally {
      busy = false;
    }
  }

  return {
    get messages() {
      return [...said];
    },
    stream,
    async send(next, options) {
      let text = "";
      const token_ids: number[] = [];
      let last: ChatEvent | undefined;
      for await (last of stream(next, options)) {
        text += last.text;
        token_ids.push(...last.token_ids);
      }
      const { finish_reason, usage } = last as Required<ChatEvent>;
      return { message: said[said.length - 1], text, token_ids, finish_reason, usage };
    },
    dispose: life.dispose,
    [Symbol.asyncDispose]: async () => life.dispose(),
  };
}

/** Throws OptionError for options that a turn has not. */
function checkTurn(options: TurnOptions, also?: readonly string[]): void {
  checkTextOptions("chat", options, also);
  const stray = ELSEWHERE.find((name) => (options as TextOptions)[name] !== undefined);
  if (stray) throw new OptionError(`chat: ${stray} must be absent, a turn has one reply; leave it out`);
}

/** What a chat has read on the device. */
interface Memory {
  /** Reads what of these tokens is new. Resolves with all of them as a past, and how many were known. */
  read(ids: readonly number[]): Promise<{ readonly past_key_values: PastKeyValues; readonly cached_tokens: number }>;
  dispose(): void;
}

const LEAST_ROOM = 256; // tokens of a memory beyond those that it begins with

function createMemory(model: Model): Memory {
  let past: PastKeyValues | undefined;
  let room = 0;
  const roomFor = (length: number): number =>
    Math.min(model.architecture.decoder?.P ?? length, 2 ** Math.ceil(Math.log2(length + LEAST_ROOM)));
  return {
    async read(ids) {
      const known = past?.ids[0] ?? [];
      const differs = ids.findIndex((id, t) => id !== known[t]);
      const common = differs < 0 ? ids.length : differs;
      past?.truncate(common);
      if (ids.length > room) {
        room = roomFor(ids.length);
        const larger = past?.fork({ max_length: room });
        const inputs = { input_ids: [ids], attention_mask: [ids.map(() => 1)] };
        const opened = await (larger ?? model.past(inputs, { max_length: room }));
        past?.dispose();
        past = opened;
      }
      const whole = past as PastKeyValues;
      await whole.append([ids.slice(whole.ids[0].length)]);
      return { past_key_values: whole, cached_tokens: Math.min(common, ids.length - 1) };
    },
    dispose: () => past?.dispose(),
  };
}
