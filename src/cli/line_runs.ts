import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { InputError, OptionError, type Tasks } from "../index.js";
import { FLAG, wholeNumber } from "../runtime/checks.js";
import { brief, type Options } from "./arguments.js";
import { type Answer, answerAll, answersOf, type Run } from "./batches.js";
import { type Item, lineItems, textItems } from "./items.js";
import { jsonLine } from "./json.js";
import { checkResumed, openOutput, type Writer } from "./output.js";
import { meter } from "./progress.js";
import { option, PATH } from "./options.js";
import { checkTaskOptions } from "./task_options.js";
import { tell, type Terminal } from "./terminal.js";
import type { Call } from "./verb.js";
import type { View } from "./views.js";

/** Options of verbs that read lines and write lines. */
export const LINE_OPTIONS = {
  input: option(PATH, "Read the lines of this file; - is standard input.", "i"),
  output: option(PATH, "Write to this new file.", "o"),
  jsonl: option(FLAG, "Lines are JSON, in and out. Files whose names end with .jsonl are, without it. Default false."),
  resume: option(FLAG, "Go on after the last whole line of the output. Default false."),
  batch_size: option(wholeNumber(1), "Texts, or recordings, that run together. Default 64; of recordings 8."),
};

/** A task that is open, and what its calls get. */
export interface Session {
  readonly name: keyof Tasks;
  readonly task: (inputs: readonly unknown[], options: object) => Promise<readonly unknown[]>;
  readonly view: View;
  readonly options: Options;
  readonly terminal: Terminal;
}

const AHEAD = 4; // batches that are read together: a task sorts its texts by length
const BATCH = 64;
const RECORDINGS = 8;

/** Whether a file, or what is asked for, has lines of JSON. */
const isJson = (path: unknown, jsonl: unknown): boolean => Boolean(jsonl) || /\.(jsonl|ndjson)$/.test(String(path));

/** Runs lines through a task, and writes a line for each. Resolves to the exit code. */
export async function runLines(session: Session, call: Call): Promise<number> {
  const { name, view, options, terminal } = session;
  const { input, output, jsonl, resume } = call.options as { input?: string; output?: string } & Options;
  const several = Number(options.num_return_sequences ?? 1) > 1 || options.return_alternatives === true;
  const lineOf = ({ item, result, fault }: Answer): string => {
    if (isJson(output, jsonl)) return jsonAnswer(view, several, { item, result, fault });
    return result === undefined ? "" : view.line(result);
  };
  const run: Run = (inputs, own) => session.task(inputs, { ...options, ...own, signal: terminal.signal });
  const format = isJson(input, jsonl)
    ? { fields: view.fields, input: view.input, checkOptions: (own: Options) => checkTaskOptions(name, own) }
    : undefined;
  const from = input === undefined || input === "-" ? undefined : await openInput(input);
  const who = from ? (input as string) : "standard input";
  const items = call.texts.length
    ? textItems(call.texts)
    : lineItems(who, from?.stream ?? (terminal.stdin as AsyncIterable<Buffer>), format);
  const writer = await openOutput("run", output, Boolean(resume), terminal);
  const size = name === "automatic-speech-recognition" ? RECORDINGS : AHEAD * Number(options.batch_size ?? BATCH);
  const lines = meter(terminal, (done, rate) => `${done} lines  ${rate.toFixed(1)} lines/s`);
  let faults = 0;
  try {
    const isSame = options.do_sample !== true || options.seed !== undefined;
    const rest = skipDone(items, writer, async (item) => {
      const [answer] = await answerAll([item], run);
      if (isSame) checkResumed(String(output), writer, lineOf(answer));
    });
    for await (const answers of answersOf(rest, size, run)) {
      terminal.signal.throwIfAborted();
      await writer.write(answers.map((answer) => `${lineOf(answer)}\n`).join(""));
      for (const { item, fault } of answers) {
        if (fault === undefined) continue;
        faults++;
        await lines.clear();
        await tell(terminal, `wgformer: line ${item.index + 1}: ${fault}`);
      }
      const { index, end } = answers[answers.length - 1].item;
      lines.show(index + 1 - writer.done, from && end && end / from.size);
    }
  } finally {
    await lines.clear();
    await writer.close();
  }
  return faults ? 1 : 0;
}

function jsonAnswer(view: View, several: boolean, { item: { index, id }, result, fault }: Answer): string {
  if (result === undefined && fault === undefined) return ""; // of a blank line
  const fields = fault === undefined ? view.json(result, several) : { error: fault };
  return jsonLine(`line ${index + 1}`, { index, ...(id !== undefined && { id }), ...fields });
}

/** The items that have no line in the output yet; the last one that has goes to `check`. */
async function* skipDone(
  items: AsyncIterable<Item>,
  { done }: Writer,
  check: (item: Item) => Promise<void>,
): AsyncGenerator<Item> {
  let count = 0;
  for await (const item of items) {
    count++;
    if (count === done) await check(item);
    if (count > done) yield item;
  }
  if (count < done)
    throw new InputError(`the output must have at most the ${count} lines of the input, it has ${done}; remove it`);
}

/** A file of lines, and its size in bytes. Throws InputError for one that cannot be read. */
async function openInput(path: string): Promise<{ stream: AsyncIterable<Buffer>; size: number }> {
  try {
    const { size } = await stat(path);
    return { stream: createReadStream(path, { highWaterMark: 2 ** 18 }) as AsyncIterable<Buffer>, size };
  } catch (cause) {
    throw new InputError(`${path} cannot be read, ${(cause as Error).message}`, { cause });
  }
}

/** Throws OptionError for options about lines that do not fit together. */
export function checkLineOptions(verb: string, { texts, options: { input, output, resume } }: Call): void {
  if (texts.length && input !== undefined)
    throw new OptionError(`${verb}: --input must be absent with texts, got ${brief(texts[0])} too; give one of them`);
  if (resume && output === undefined) throw new OptionError(`${verb}: --resume needs --output, the file to go on with`);
}
