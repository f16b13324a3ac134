import { createInterface } from "node:readline/promises";
import { InputError } from "../index.js";
import { tell, type Terminal, write } from "./terminal.js";

/** Answers a line, until its signal aborts. Resolves to true when no more lines are wanted. */
export type Answerer = (line: string, signal: AbortSignal) => Promise<boolean | void>;

/**
 * Reads lines on a terminal with a prompt, and answers each. Ctrl-C stops an answer, and at the prompt it ends all, as
 * Ctrl-D does; an input that is refused ends nothing. Resolves to the exit code.
 */
export async function converse(terminal: Terminal, answer: Answerer): Promise<number> {
  const { stdin, stdout, stderr } = terminal;
  const lines = createInterface({ input: stdin, output: stderr as unknown as NodeJS.WritableStream, prompt: "> " });
  let stop: AbortController | undefined;
  let code = 0;
  const leave = (): void => {
    code = 130;
    lines.close();
  };
  lines.on("SIGINT", () => (stop ? stop.abort() : leave()));
  terminal.signal.addEventListener("abort", leave);
  lines.prompt();
  for await (const line of lines) {
    stop = new AbortController();
    const { signal } = stop;
    try {
      if (line.trim() && (await answer(line, AbortSignal.any([signal, terminal.signal])))) break;
    } catch (error) {
      if (error instanceof InputError) await tell(terminal, `wgformer: ${messageOf(error)}`);
      else if (signal.aborted) await write(stdout, "\n");
      else throw error;
    }
    stop = undefined;
    if (terminal.signal.aborted) break;
    lines.prompt();
  }
  lines.close();
  await write(stderr, "\n");
  return code;
}

/** What is wrong with an input, without its place in a list. */
const messageOf = (error: InputError): string => (error.cause instanceof InputError ? error.cause : error).message;
