import { readFile, writeFile } from "node:fs/promises";
import { type Chat, CheckpointError, type Conversation, InputError, loadTokenizer, pipeline } from "../index.js";
import { CHAT_RULES } from "../model/text/chat_rules.js";
import { nearest } from "../runtime/checks.js";
import type { Options, OptionTable } from "./arguments.js";
import { readLines } from "./lines.js";
import { GENERATION, MODEL_OPTIONS, option, PATH, split, table } from "./options.js";
import { openModel } from "./models.js";
import { converse } from "./prompt.js";
import { faint, tell, type Terminal, write } from "./terminal.js";
import type { Verb } from "./verb.js";

const MOST = 1024; // tokens of a reply, where nothing else is said
const { add_generation_prompt: _, continue_final_message: _final, ...TEMPLATE_RULES } = CHAT_RULES;

// A reply is one text, of which nothing else is shown.
const ELSEWHERE =
  /^(num_return_sequences|.*alternative.*|output_.*|top_logprobs|.*timestamp.*|decoder_start.*|forced_.*)$/;

const ofReplies = (options: OptionTable): OptionTable =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !ELSEWHERE.test(name)));

/** `wgformer chat`: a conversation with a model. */
export const chat: Verb = {
  usage: "MODEL",
  words: [1, 1],
  summary: "talk with a model that has a chat template",
  details: `On a terminal, replies come as they are generated, Ctrl-C stops one and keeps the chat, and /help lists the commands. Else each line of standard input is a message. A reply has at most ${MOST} tokens unless --max_new_tokens or --max_length says otherwise.`,
  examples: ["Qwen/Qwen3-0.6B --system 'Answer briefly.' --do_sample --temperature 0.7"],
  sections: {
    Conversation: {
      system: option(
        { words: "a text", holds: (value) => typeof value === "string" },
        "The first message, of the system.",
      ),
      messages: option(PATH, "Go on with the messages in this file, as /save writes them."),
      ...table(TEMPLATE_RULES, "ChatTemplateOptions"),
    },
    ...Object.fromEntries(Object.entries(GENERATION).map(([title, own]) => [title, ofReplies(own)])),
    Model: MODEL_OPTIONS,
  },
  async run(call) {
    const { terminal } = call;
    const { messages: file, ...options } = split(call.options)[1];
    const messages = file === undefined ? undefined : await readMessages(file as string);
    const { checkpoint, load, loading } = await openModel(call);
    if (options.chat_template === undefined && !(await (await loadTokenizer(checkpoint)).has_chat_template()))
      throw new CheckpointError(
        `chat: ${checkpoint.label} must have a chat template, it has none; give --chat_template, or use wgformer run`,
      );
    const task = await loading(pipeline("text-generation", checkpoint, load));
    const room = openRoom(task, { ...options, messages });
    try {
      if (terminal.stdin.isTTY) {
        await tell(terminal, faint(terminal.stderr, "/help lists the commands; Ctrl-C stops a reply"));
        return await converse(terminal, (line, stop) =>
          line.startsWith("/") ? obey(line, room, terminal) : reply(room, line, terminal.stdout, stop),
        );
      }
      for await (const { text = "" } of readLines("standard input", terminal.stdin as AsyncIterable<Buffer>))
        if (text.trim()) await reply(room, text, terminal.stdout, terminal.signal);
      return 0;
    } finally {
      room.close();
      task.dispose();
    }
  },
};

type Task = Awaited<ReturnType<typeof pipeline<"text-generation">>>;

/** A chat that can begin anew. */
interface Room {
  readonly messages: Conversation;
  /** The pieces of the reply to a message. */
  say(text: string, signal: AbortSignal): AsyncIterable<{ readonly text: string }>;
  /** Forgets what was said; `system` begins the next chat, which is the one before where it is undefined. */
  reset(system?: string): void;
  close(): void;
}

function openRoom(task: Task, options: Options): Room {
  let { system } = options as { system?: string };
  let current: Chat = task.chat(options);
  return {
    get messages() {
      return current.messages;
    },
    async *say(text, signal) {
      yield* current.stream(text, {
        ...(await lengthOf(task, [...current.messages, { role: "user", content: text }], options)),
        signal,
      });
    },
    reset(instructions = system) {
      system = instructions;
      current.dispose();
      current = task.chat({ ...options, system, messages: undefined });
    },
    close: () => current.dispose(),
  };
}

/** The length of a reply, where neither the command line nor the checkpoint says it. */
async function lengthOf({ tokenizer, model }: Task, messages: Conversation, options: Options): Promise<Options> {
  const said = { ...model.generationDefaults.options, ...options };
  if (said.max_new_tokens !== undefined || said.max_length !== undefined) return {};
  const { tools, documents, chat_template, chat_template_kwargs } = options;
  const template = { tools, documents, chat_template, chat_template_kwargs, add_generation_prompt: true };
  const ids = await tokenizer.apply_chat_template(messages, { ...(template as object), tokenize: true });
  const positions = model.architecture.decoder?.P ?? Infinity;
  return { max_new_tokens: Math.max(1, Math.min(MOST, positions + 1 - ids.length)) };
}

/** Writes the reply to a message as it is generated. */
async function reply(room: Room, text: string, stdout: Terminal["stdout"], signal: AbortSignal): Promise<void> {
  for await (const piece of room.say(text, signal)) await write(stdout, piece.text);
  await write(stdout, "\n");
}

const COMMANDS: Readonly<Record<string, string>> = {
  "/help": "these commands",
  "/reset": "begin anew",
  "/system TEXT": "begin anew, with this message of the system",
  "/save FILE": "write the messages as JSON, for --messages",
  "/exit": "end the chat, as Ctrl-D does",
};

/** Does what a command says. */
async function obey(line: string, room: Room, terminal: Terminal): Promise<boolean | void> {
  const [, name, rest] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  if (name === "/exit") return true;
  if (name === "/reset") return room.reset();
  if (name === "/system") return room.reset(rest || undefined);
  if (name === "/save" && rest) {
    const said = JSON.stringify(room.messages, undefined, 2);
    const fault = await writeFile(rest, `${said}\n`).catch((error: Error) => error);
    return tell(terminal, fault ? `wgformer: ${rest} cannot be written, ${fault.message}` : `${rest} written`);
  }
  const known = Object.keys(COMMANDS).map((command) => command.split(" ")[0]);
  const near = nearest(name, known);
  if (name !== "/help" && name !== "/save")
    await tell(terminal, `${name} is no command${near ? `; did you mean ${near}?` : ""}`);
  for (const [command, doc] of Object.entries(COMMANDS)) await tell(terminal, `  ${command.padEnd(14)}${doc}`);
}

/** The messages of a file. Throws InputError. */
async function readMessages(path: string): Promise<Conversation> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Conversation;
  } catch (cause) {
    throw new InputError(`${path} must hold messages in JSON, ${(cause as Error).message}`, { cause });
  }
}
