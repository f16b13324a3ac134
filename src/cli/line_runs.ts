import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { InputError, OptionError } from "../index.js";
import { FLAG, wholeNumber } from "../runtime/checks.js";
import { brief, type Options, type OptionTable } from "./arguments.js";
import { type Answer, answerAll, answersOf, type Run } from "./batches.js";
import { type Item, type ItemFormat, lineItems, textItems, type Together } from "./items.js";
import { jsonLine } from "./json.js";
import { option, PATH } from "./options.js";
import { checkResumed, existing, openOutput } from "./output.js";
import { meter } from "./progress.js";
import { tell } from "./terminal.js";
import type { Call } from "./verb.js";

/** Options of verbs that read lines and write lines. `batch` says how many run together by default. */
export const lineOptions = (batch: string): OptionTable => ({
  input: option(PATH, "Read the lines of this file; - is standard input, which is the default without TEXT.", "i"),
  output: option(PATH, "Write to this new file. Default: standard output.", "o"),
  jsonl: option(FLAG, "Lines are JSON, in and out. Files whose names end with .jsonl are, without it. Default false."),
  resume: option(FLAG, "Go on after the last whole line of the output. Default false."),
  batch_size: option(wholeNumber(1), `Lines that run together. Default ${batch}.`),
});

/** What is done with lines. */
export interface LineTask {
  /** How lines of JSON become inputs. */
  readonly format: ItemFormat;
  readonly run: Run;
  readonly together?: Together;
  /** How many lines run together. */
  readonly size: number;
  /** The line that a result gives; absent where results are always JSON. */
  line?(result: unknown): string;
  /** The fields that the result of a line gives in JSON. */
  json(result: unknown, item: Item): object;
  /** Whether the same line gives the same again. */
  readonly repeatable: boolean;
}

/** Where answers go. */
export interface Sink {
  /** Answers that were there before. */
  readonly done: number;
  /** Throws InputError where the last of them is another than this one. */
  check(again: Answer): void;
  write(answers: readonly Answer[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Checks options about lines, before a model is loaded. Throws OptionError for those that do not fit together and for an
 * output that exists, and InputError for a file that cannot be read.
 */
export async function checkLineOptions(verb: string, { texts, options }: Call): Promise<void> {
  const { input, output, resume } = options as { input?: string; output?: string } & Options;
  if (texts.length && input !== undefined)
    throw new OptionError(`${verb}: --input must be absent with texts, got ${brief(texts[0])} too; give one of them`);
  if (resume && output === undefined) throw new OptionError(`${verb}: --resume needs --output, the file to go on with`);
  if (!resume && output !== undefined && (await isThere(output))) throw existing(verb, output);
  if (input !== undefined && input !== "-") await sizeOf(input);
}

/** Whether a file has lines of JSON by its name, or because it is asked for. */
const isJson = (path: unknown, { jsonl }: Options): boolean => Boolean(jsonl) || /\.(jsonl|ndjson)$/.test(String(path));

/** Runs lines, and writes a line for each. Resolves to the exit code. */
export async function runLines(verb: string, task: LineTask, call: Call, given?: Sink): Promise<number> {
  const { options, terminal } = call;
  const { input, output } = options as { input?: string; output?: string };
  const from = input === undefined || input === "-" ? undefined : await openInput(input);
  const who = from ? (input as string) : "standard input";
  const format = isJson(input, options) ? task.format : undefined;
  const stream = from?.stream ?? (terminal.stdin as AsyncIterable<Buffer>);
  const { together } = task;
  const items = call.texts.length ? textItems(call.texts, together) : lineItems(who, stream, format, together);
  const sink = given ?? (await lineSink(verb, task, call, task.line === undefined || isJson(output, options)));
  const shown = meter(terminal, (done, rate) => `${done} lines  ${rate.toFixed(1)} lines/s`);
  let [faults, skipped] = [0, 0];
  try {
    const rest = skipDone(items, sink.done, async (item) => {
      skipped = item.end ?? 0;
      if (task.repeatable) sink.check((await answerAll([item], task.run))[0]);
    });
    for await (const answers of answersOf(rest, task.size, task.run)) {
      terminal.signal.throwIfAborted();
      await sink.write(answers);
      const bad = answers.filter(({ fault }) => fault !== undefined);
      faults += bad.length;
      if (bad.length) await shown.clear();
      for (const { item, fault } of bad) await tell(terminal, `wgformer: line ${item.index + 1}: ${fault}`);
      const { index, end } = answers[answers.length - 1].item;
      shown.show(index + 1 - sink.done, from && end && (end - skipped) / (from.size - skipped));
    }
  } finally {
    await shown.clear();
    await sink.close();
  }
  return faults ? 1 : 0;
}

/** Lines of text or of JSON, on standard output or in a file. */
async function lineSink(verb: string, task: LineTask, call: Call, json: boolean): Promise<Sink> {
  const { output, resume } = call.options as { output?: string } & Options;
  const writer = await openOutput(verb, output, Boolean(resume), call.terminal);
  const lineOf = (answer: Answer): string => {
    const { item, result, fault } = answer;
    if (result === undefined && (fault === undefined || !json)) return "";
    if (!json) return task.line?.(result) ?? "";
    const { index, id } = item;
    const fields = fault === undefined ? task.json(result, item) : { error: fault };
    return jsonLine(`line ${index + 1}`, { index, ...(id !== undefined && { id }), ...fields });
  };
  return {
    done: writer.done,
    check: (again) => checkResumed(String(output), writer, lineOf(again)),
    write: (answers) => writer.write(answers.map((answer) => `${lineOf(answer)}\n`).join("")),
    close: () => writer.close(),
  };
}

/** The items that have no line in the output yet; the last one that has goes to `check`. */
async function* skipDone(
  items: AsyncIterable<Item>,
  done: number,
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
  const size = await sizeOf(path);
  return { stream: createReadStream(path, { highWaterMark: 2 ** 18 }) as AsyncIterable<Buffer>, size };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw new InputError(`${path} cannot be read, ${(cause as Error).message}`, { cause });
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
