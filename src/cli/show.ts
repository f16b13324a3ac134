import { createInterface } from "node:readline/promises";
import type { Tasks, TextStats, TextTask } from "../index.js";
import { InputError } from "../index.js";
import type { Options } from "./arguments.js";
import { faint, print, tell, type Terminal, write } from "./terminal.js";
import { VIEWS } from "./views.js";

/** A task that is open, and what its calls get. */
export interface Session {
  readonly kind: keyof Tasks;
  readonly task: (inputs: readonly unknown[], options: object) => Promise<readonly unknown[]>;
  readonly options: Options;
  readonly terminal: Terminal;
}

/** Tasks that make texts. */
export const TEXT_TASKS: ReadonlySet<string> = new Set([
  "text-generation",
  "text2text",
  "translation",
  "summarization",
]);

/** Options of a reader: labels of words, all labels of texts, all hypotheses of a search. */
function optionsOf({ kind, task, options }: Session): Options {
  if (kind === "token-classification") return { aggregation_strategy: "first", ...options };
  if (kind === "text-classification") return { top_k: null, ...options };
  if (!TEXT_TASKS.has(kind) || options.num_return_sequences !== undefined || options.do_sample === true) return options;
  const { model } = task as unknown as TextTask;
  const beams = options.num_beams ?? model.generationDefaults.options.num_beams ?? 1;
  return { ...options, num_return_sequences: beams };
}

/** Shows the results of texts to a reader; a single one as it is generated. */
export async function showTexts(session: Session, texts: readonly string[], stats: boolean): Promise<void> {
  const { kind, task, terminal } = session;
  const { signal } = terminal;
  const options = optionsOf(session);
  const isOne = TEXT_TASKS.has(kind) && texts.length === 1 && Number(options.num_return_sequences ?? 1) === 1;
  if (isOne && !stats && !options.return_alternatives) return streamText(session, texts[0], options);
  const results = await task(texts, { ...options, signal });
  for (const [index, result] of results.entries())
    for (const line of VIEWS[kind].show(result, texts[index])) await print(terminal, line);
  if (stats) await tellStats(session);
}

/** Writes one result as it is generated. */
async function streamText({ kind, task, terminal }: Session, text: string, options: Options): Promise<void> {
  const { batch_size: _, return_alignments: _alignments, return_full_text = true, ...rest } = options;
  const { stream } = task as unknown as TextTask;
  if (kind === "text-generation" && return_full_text) await write(terminal.stdout, faint(terminal.stdout, text));
  for await (const { text: piece } of stream(text, { ...rest, signal: terminal.signal }))
    await write(terminal.stdout, piece);
  await write(terminal.stdout, "\n");
}

/** Reads lines on a terminal with a prompt, and answers each, until the input ends. */
export async function converse(session: Session): Promise<void> {
  const { stdin, stderr, signal } = session.terminal;
  const lines = createInterface({ input: stdin, output: stderr as unknown as NodeJS.WritableStream, prompt: "> " });
  signal.addEventListener("abort", () => lines.close());
  lines.on("SIGINT", () => lines.close());
  lines.prompt();
  for await (const line of lines) {
    if (line.trim()) await showTexts(session, [line], false).catch((error) => tellFault(session.terminal, error));
    lines.prompt();
  }
  await write(stderr, "\n");
}

/** Tells what is wrong with an input. Throws what is no fault of the input. */
async function tellFault(terminal: Terminal, error: unknown): Promise<void> {
  if (!(error instanceof InputError)) throw error;
  await tell(terminal, `wgformer: ${error.message}`);
}

async function tellStats({ kind, task, terminal }: Session): Promise<void> {
  const { model, stats } = task as unknown as TextTask;
  await tell(terminal, model.gpu.info.description);
  const found = TEXT_TASKS.has(kind) ? stats() : undefined;
  if (found?.timed_steps) for (const line of speedOf(found)) await tell(terminal, line);
}

function speedOf({ ms: all, timed_steps, tokens, steps, launches }: TextStats): string[] {
  const ms = all / timed_steps;
  const rate = ((1000 * tokens) / (steps * ms)).toFixed(0);
  const { encoder_layer, decoder_layer, outside, step } = launches;
  const encoder = encoder_layer ? `, ${encoder_layer} an encoder layer` : "";
  return [
    `${rate} tokens/s, ${ms.toFixed(2)} ms a step`,
    `launches: ${step} a step (${decoder_layer} a decoder layer, ${outside} outside the layers)${encoder}`,
  ];
}
