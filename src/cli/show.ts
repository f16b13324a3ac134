import type { Tasks, TextStats, TextTask } from "../index.js";
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

/** A task as one that writes text, which its kind says. */
const textTaskOf = (task: Session["task"]): TextTask => task as unknown as TextTask;

/** Options of a reader: labels of words, all labels of texts, all hypotheses of a search. */
function optionsOf({ kind, task, options }: Session): Options {
  if (kind === "token-classification") return { aggregation_strategy: "first", ...options };
  if (kind === "text-classification") return { top_k: null, ...options };
  if (!TEXT_TASKS.has(kind) || options.num_return_sequences !== undefined || options.do_sample === true) return options;
  const { model } = textTaskOf(task);
  const beams = options.num_beams ?? model.generationDefaults.options.num_beams ?? 1;
  return { ...options, num_return_sequences: beams };
}

/** Shows the results of texts to a reader, below the texts. */
export async function showTexts(session: Session, texts: readonly string[], stats: boolean): Promise<void> {
  const { kind, task, terminal } = session;
  const options = optionsOf(session);
  if (texts.length === 1 && !stats && isSingle(kind, options))
    return streamText(session, texts[0], options, terminal.signal);
  const { show, together } = VIEWS[kind];
  const results = await task(together ? [together(texts)] : texts, { ...options, signal: terminal.signal });
  for (const [index, result] of results.entries())
    for (const line of show(result, texts[index], together && texts.slice(1))) await print(terminal, line);
  if (stats) await tellStats(session);
}

/** Shows the results of a text that a reader has just written. */
export async function showAnswer(session: Session, text: string, signal: AbortSignal): Promise<void> {
  const { kind, task, terminal } = session;
  const options = optionsOf(session);
  if (isSingle(kind, options)) return streamText(session, text, options, signal);
  const { show, together } = VIEWS[kind];
  const [title, ...others] = together ? text.split("\t") : [text];
  const [result] = await task([together ? together([title, ...others]) : text], { ...options, signal });
  for (const line of show(result, title, together && others)) if (line !== title) await print(terminal, line);
}

/** Whether a text gives a single text. */
const isSingle = (kind: keyof Tasks, options: Options): boolean =>
  TEXT_TASKS.has(kind) && Number(options.num_return_sequences ?? 1) === 1 && !options.return_alternatives;

/** Writes one result as it is generated. */
async function streamText(session: Session, text: string, options: Options, signal: AbortSignal): Promise<void> {
  const { stdout } = session.terminal;
  const { batch_size: _, return_alignments: _alignments, return_full_text = true, ...rest } = options;
  const { stream } = textTaskOf(session.task);
  if (session.kind === "text-generation" && return_full_text) await write(stdout, faint(stdout, text));
  for await (const { text: piece } of stream(text, { ...rest, signal })) await write(stdout, piece);
  await write(stdout, "\n");
}

async function tellStats({ kind, task, terminal }: Session): Promise<void> {
  const { model, stats } = textTaskOf(task);
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
