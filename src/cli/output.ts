import { type FileHandle, open } from "node:fs/promises";
import { InputError, OptionError, WgformerError } from "../index.js";
import { type Terminal, write } from "./terminal.js";

/** Where results go, line by line. */
export interface Writer {
  /** Lines that were there before. */
  readonly done: number;
  /** The last of them, without its end. */
  readonly last?: string;
  write(lines: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the output: standard output, or a file. A file that exists must be resumed, which cuts off a line that was not
 * written to its end. Throws OptionError for one that exists otherwise, and WgformerError for one that cannot be written.
 */
export async function openOutput(
  verb: string,
  path: string | undefined,
  resume: boolean,
  { stdout }: Terminal,
): Promise<Writer> {
  if (path === undefined) return { done: 0, write: (lines) => write(stdout, lines), async close() {} };
  let file: FileHandle;
  try {
    file = await open(path, resume ? "a+" : "ax+");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") throw existing(verb, path);
    throw new WgformerError(`${verb}: ${path} cannot be written, ${message}`, { cause });
  }
  const found = await lastLine(file);
  await file.truncate(found.end);
  return {
    done: found.count,
    last: found.last,
    async write(lines) {
      try {
        await file.appendFile(lines);
      } catch (cause) {
        throw new WgformerError(`${verb}: ${path} cannot be written, ${(cause as Error).message}`, { cause });
      }
    },
    close: () => file.close(),
  };
}

/** The error of an output that is there already. */
export const existing = (verb: string, path: string): OptionError =>
  new OptionError(`${verb}: --output must be a new file, ${path} is there; add --resume, or remove it`);

/** Counts the whole lines of a file, and finds the last of them and where it ends. */
async function lastLine(file: FileHandle): Promise<{ count: number; end: number; last?: string }> {
  const buffer = Buffer.alloc(2 ** 20);
  let [count, end, start, at] = [0, 0, 0, 0];
  for (let size = 1; size > 0; at += size) {
    size = (await file.read(buffer, 0, buffer.length, at)).bytesRead;
    const chunk = buffer.subarray(0, size);
    for (let next = chunk.indexOf(10); next >= 0; next = chunk.indexOf(10, next + 1)) {
      count++;
      start = end;
      end = at + next + 1;
    }
  }
  if (count === 0) return { count, end };
  const line = Buffer.alloc(end - 1 - start);
  await file.read(line, 0, line.length, start);
  return { count, end, last: line.toString("utf8") };
}

const NUMBER = /-?\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)/; // no whole ones, such as token ids
const TOLERANCE = 1e-3; // of numbers: GPUs add in another order in another batch

/**
 * Throws InputError unless the last line of a resumed output is what is computed again for its line of the input, numbers
 * to rounding.
 */
export function checkResumed(path: string, { done, last = "" }: Writer, again: string): void {
  const numbers = (line: string): number[] =>
    Array.from(line.matchAll(new RegExp(NUMBER, "g")), ([text]) => Number(text));
  const [before, now] = [numbers(last), numbers(again)];
  const alike =
    last.split(NUMBER).join("#") === again.split(NUMBER).join("#") &&
    before.every((value, i) => Math.abs(value - now[i]) <= TOLERANCE * Math.max(1, Math.abs(value)));
  if (!alike)
    throw new InputError(
      `${path}: line ${done} must be what this command gives for line ${done} of the input, it is another; give the same input, model and options, or remove the file`,
    );
}
