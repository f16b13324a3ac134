import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "./checkpoint.js";
import { AbsentError, isPage, LARGEST_JSON } from "./http.js";
import type { CheckpointSource, SourceFile } from "./source.js";

/** A file with its name in messages. */
export type LabelledFile = SourceFile & { readonly label: string };

/**
 * Opens a file of a source, whose reads give what was asked for or throw. Undefined when there is none. Throws
 * CheckpointError for a name that leaves the folder, and all that the source throws.
 */
export async function openFile(
  source: CheckpointSource,
  name: string,
  signal?: AbortSignal,
): Promise<LabelledFile | undefined> {
  if (!isInside(name))
    throw new CheckpointError(`${source.label}: ${show(name)} must be the path of a file inside the checkpoint`);
  const file = await source.open(name, signal);
  if (file === undefined || file === null) return undefined;
  const label = file.label ?? `${source.label}/${name}`;
  if (!Number.isSafeInteger(file.size) || file.size < 0 || typeof file.read !== "function")
    throw new CheckpointError(
      `${label}: the source must give its size in bytes and read(), got size ${show(file.size)}`,
    );
  return {
    label,
    size: file.size,
    fetch: file.fetch && ((...hooks) => (file.fetch as NonNullable<SourceFile["fetch"]>)(...hooks)),
    async read(start, end, ...hooks) {
      const bytes: unknown = await file.read(start, end, ...hooks);
      if (!ArrayBuffer.isView(bytes) || bytes.byteLength !== end - start)
        throw new CheckpointError(
          `${label}: bytes ${start} to ${end} must be readable, got ${ArrayBuffer.isView(bytes) ? bytes.byteLength : "none"} of them; fetch the file again`,
        );
      return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    },
  };
}

/** Whether a name is the path of a file inside a folder, for file systems and in URLs. */
export const isInside = (name: string): boolean =>
  !/[\\:]/.test(name) &&
  Array.from(name).every((letter) => letter >= " ") &&
  name.split("/").every((part) => !["", ".", ".."].includes(part));

/** Opens a file that need not be there: what a server denies counts as absent. */
export async function findFile(...place: Parameters<typeof openFile>): ReturnType<typeof openFile> {
  try {
    return await openFile(...place);
  } catch (error) {
    if (error instanceof AbsentError) return undefined;
    throw error;
  }
}

/** What a file that should be another one is, as far as its first bytes tell; undefined when they do not. */
export async function mistakenFor(file: SourceFile, signal?: AbortSignal): Promise<string | undefined> {
  const head = new TextDecoder("latin1").decode(await file.read(0, Math.min(file.size, 512), signal));
  if (head.startsWith("version https://git-lfs"))
    return "is a pointer of git-lfs, not the file itself; fetch it with `git lfs pull`";
  if (isPage(head)) return "is a web page, not the file itself; fetch the file again";
  if (head.startsWith("PK") || head.startsWith("\x80\x02")) return "is a file of PyTorch; convert it to safetensors";
  return head.startsWith("GGUF") ? "is a GGUF file; give the checkpoint in safetensors" : undefined;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isList = (value: unknown): value is readonly Json[] => Array.isArray(value) && value.every(isObject);

type Reader<T> = (source: CheckpointSource, name: string, signal?: AbortSignal) => Promise<T | undefined>;

/** Reads a file that need not be there and holds a JSON object of at most 256 MiB. Undefined when there is none. */
export const readJson: Reader<Json> = async (...place) => parse(await findFile(...place), isObject, "object", place[2]);

/** `readJson` of a file that must be there: throws what a server says of it instead of taking it as absent. */
export const needJson: Reader<Json> = async (...place) => parse(await openFile(...place), isObject, "object", place[2]);

/** Reads a file that need not be there and holds a JSON list of objects. Undefined when there is none. */
export const readList: Reader<readonly Json[]> = async (...place) =>
  parse(await findFile(...place), isList, "list of objects", place[2]);

/** Reads a file that need not be there and holds a text of at most 256 MiB. Undefined when there is none. */
export const readText: Reader<string> = async (...place) => {
  const file = await findFile(...place);
  return file && textOf(file, place[2]);
};

async function textOf(file: LabelledFile, signal: AbortSignal | undefined): Promise<string> {
  if (file.size > LARGEST_JSON)
    throw new CheckpointError(`${file.label}: must have at most ${LARGEST_JSON} bytes, got ${file.size}`);
  return new TextDecoder().decode(await file.read(0, file.size, signal));
}

async function parse<T>(
  file: LabelledFile | undefined,
  is: (value: unknown) => value is T,
  kind: string,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  if (!file) return undefined;
  const text = await textOf(file, signal);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = (await mistakenFor(file, signal)) ?? `must be JSON, ${(cause as Error).message.slice(0, 200)}`;
    throw new CheckpointError(`${file.label}: ${why}`, { cause });
  }
  if (!is(value)) throw new CheckpointError(`${file.label}: must be a JSON ${kind}`);
  return value;
}
