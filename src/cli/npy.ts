import { type FileHandle, open } from "node:fs/promises";
import { WgformerError } from "../index.js";
import type { Answer } from "./batches.js";
import type { Sink } from "./line_runs.js";
import { existing } from "./output.js";

const HEADER = 128; // bytes
const DIGITS = 12; // of the number of rows, which is known at the end

/**
 * A file of NumPy's format, f32[rows,D]: the vectors that `vectorOf` takes from results, a row of NaN for what has none.
 * Throws OptionError for a file that exists, and WgformerError for one that cannot be written.
 */
export async function npySink(verb: string, path: string, vectorOf: (result: unknown) => Float32Array): Promise<Sink> {
  let file: FileHandle;
  try {
    file = await open(path, "wx");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") throw existing(verb, path);
    throw new WgformerError(`${verb}: ${path} cannot be written, ${message}`, { cause });
  }
  let [rows, D, waiting] = [0, 0, 0];
  await file.write(headerOf(rows, D), 0, HEADER, 0);
  return {
    done: 0,
    check() {},
    async write(answers: readonly Answer[]) {
      const vectors = answers.map(({ result }) => (result === undefined ? undefined : vectorOf(result)));
      waiting += vectors.length;
      D ||= vectors.find((vector) => vector !== undefined)?.length ?? 0;
      if (D === 0) return; // no row is known yet
      const block = new Float32Array(waiting * D).fill(NaN);
      const first = waiting - vectors.length;
      vectors.forEach((vector, row) => vector && block.set(vector, (first + row) * D));
      await file.write(new Uint8Array(block.buffer), 0, block.byteLength, HEADER + 4 * rows * D);
      rows += waiting;
      waiting = 0;
    },
    async close() {
      await file.write(headerOf(rows, D), 0, HEADER, 0);
      await file.close();
    },
  };
}

/** The header of an array f32[rows,D] in C order (NEP 1, version 1.0). */
function headerOf(rows: number, D: number): Uint8Array {
  const shape = `(${String(rows).padStart(DIGITS)}, ${D})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  const header = new Uint8Array(HEADER).fill(32);
  header.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, HEADER - 10, 0]);
  header.set(new TextEncoder().encode(text), 10);
  header[HEADER - 1] = 10;
  return header;
}
