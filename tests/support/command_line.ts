// The built command line, called in this process (Node alone): a process of its own takes a second of each check.
import type { main, parseArguments } from "../../src/cli/main.js";
import type { Terminal } from "../../src/cli/terminal.js";
import { assert } from "./harness.js";

interface Built {
  readonly main: typeof main;
  readonly parseArguments: typeof parseArguments;
}

/** What dist/cli/main.js exports. */
export const built = async (): Promise<Built> =>
  (await import(new URL("../dist/cli/main.js", import.meta.url).href)) as Built;

/** What a command did. */
export interface Outcome {
  readonly code: number;
  /** Lines on standard output. */
  readonly lines: readonly string[];
  /** Lines on standard error. */
  readonly errors: readonly string[];
}

/** What a command finds around it. */
export interface Surroundings {
  /** Standard input. */
  readonly input?: string | Uint8Array | NodeJS.ReadableStream;
  /** Whether the streams are a terminal. */
  readonly isTTY?: boolean;
  readonly signal?: AbortSignal;
  /** Called with what is written on standard output. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a command line. */
export async function wgformer(words: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const { input = "", isTTY = false, signal = new AbortController().signal, onOutput } = surroundings;
  const { Readable, Writable } = await import("node:stream");
  const { main } = await built();
  const texts = { stdout: "", stderr: "" };
  const output = (name: keyof typeof texts): Terminal["stdout"] => {
    const stream = new Writable({
      decodeStrings: false,
      write(text: string, _, done) {
        texts[name] += text;
        if (name === "stdout") onOutput?.(text);
        done();
      },
    });
    return Object.assign(stream, { isTTY, columns: 100 });
  };
  const source = typeof input === "string" || ArrayBuffer.isView(input) ? Readable.from([Buffer.from(input)]) : input;
  const stdin = Object.assign(source, { isTTY });
  const code = await main(words, { stdin, stdout: output("stdout"), stderr: output("stderr"), signal });
  const [lines, errors] = [texts.stdout, texts.stderr].map((text) => text.split("\n").slice(0, -1));
  return { code, lines, errors };
}

/** The lines of a command that must end well and say nothing besides. */
export async function linesOf(words: readonly string[], input?: Surroundings["input"]): Promise<readonly string[]> {
  const { code, lines, errors } = await wgformer(words, { input });
  assert.equal(errors, []);
  assert.is(code, 0);
  return lines;
}
