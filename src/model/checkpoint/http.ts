import { CheckpointError } from "../../runtime/errors.js";
import { persist } from "./persist.js";
import type { CheckpointSource, SourceFile } from "./source.js";

/**
 * A server gave no such file, though not by "404 Not Found": it denied it (stores such as S3 say so of files that are
 * not there) or sent a page (as servers of single-page applications do). A file that is optional counts as absent then.
 */
export class AbsentError extends CheckpointError {}

/** Most bytes of a JSON file; the headers of safetensors have their own limit. */
export const LARGEST_JSON = 2 ** 28;

const FIRST_REQUEST = 65536; // bytes: enough for most headers and JSON files
/** Whether a status may be another one soon. */
const isBusy = (status: number): boolean => [408, 425, 429].includes(status) || (status >= 500 && status !== 501);

/**
 * A folder on a server. The query of its URL goes to every file. Files are read by ranges where the server has them.
 * There is no time limit but the caller's signal, for example AbortSignal.timeout(ms).
 */
export function urlSource(folder: URL): CheckpointSource {
  if (folder.username || folder.password)
    throw new CheckpointError(
      `load: a URL must not hold a password, got one for ${folder.host}; give a function that fetches with your own headers`,
    );
  return {
    label: folder.href,
    open(name, signal) {
      const url = new URL(folder);
      url.hash = "";
      const path = name.split("/").map(encodeURIComponent);
      url.pathname = [url.pathname.replace(/\/+$/, ""), ...path].join("/");
      return openUrl(url.href, name, signal);
    },
  };
}

/** How a request is made: `fetch`, or what adds to it. */
export type Get = (
  url: string,
  init: { readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal },
) => Promise<Response>;

/** Whether a file is text: it is asked for whole, so that servers compress it. */
export const isText = (name: string): boolean => /\.(json|txt|jinja)$/.test(name);

/** The file at a URL; undefined when the server has none. Throws CheckpointError with the URL, and AbsentError. */
export function openUrl(
  url: string,
  name: string,
  signal?: AbortSignal,
  get: Get = fetch,
  tries?: number,
): Promise<SourceFile | undefined> {
  const open = async (): Promise<SourceFile | undefined> => {
    const whole = async (): Promise<SourceFile | undefined> =>
      answeredFile(await request(get, url, undefined, signal), url, name, signal);
    if (isText(name)) return whole();
    const answer = await request(get, url, [0, FIRST_REQUEST], signal);
    const range = readRange(answer);
    if (answer.status !== 416 && !isEncoded(answer) && (answer.status !== 206 || range?.start === 0)) {
      const file = await answeredFile(answer, url, name, signal);
      if (!file || !range || answer.status !== 206) return file;
      if (file.size === range.end)
        return rangedFile(get, url, await file.read(0, file.size), range.size, versionOf(answer));
    }
    await answer.body?.cancel();
    // Its ranges cannot be used. Deno decompresses only what was asked for without a range.
    return whole();
  };
  return persist(url, signal, open, { tries });
}

/**
 * The file that an answer holds; undefined when it says that there is none. Throws CheckpointError for other answers,
 * with the status, and AbsentError.
 */
export async function answeredFile(
  answer: Response,
  label: string,
  name: string,
  signal?: AbortSignal,
): Promise<SourceFile | undefined> {
  const refuse = (Kind: typeof CheckpointError): Error =>
    new Kind(`${label}: must be answered with the file, answered ${answer.status} ${answer.statusText}`.trimEnd());
  if (answer.status === 404) return undefined;
  const denied = answer.status >= 400 && answer.status < 500;
  if (!answer.ok || answer.status === 204) throw refuse(denied || answer.ok ? AbsentError : CheckpointError);
  const blob = await readBody(answer, label, name.endsWith(".json") ? LARGEST_JSON : Infinity, signal);
  if (isPage(await blob.slice(0, 512).text()))
    throw new AbsentError(
      `${label}: must be answered with the file, answered ${answer.status} with a page of HTML; check the address`,
    );
  return {
    size: blob.size,
    label,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/** Whether a text begins as a page of HTML or XML does. The length that safetensors begin with has zeros. */
export const isPage = (text: string): boolean => /^\s*<[!?a-z][^\0]{3}/i.test(text);

/** Asks for a file or for its bytes from `start` to `end`. Throws an Error that `persist` repeats when it fails. */
async function request(
  get: Get,
  url: string,
  range: readonly [start: number, end: number] | undefined,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const headers = range ? { Range: `bytes=${range[0]}-${range[1] - 1}` } : undefined;
  const answer = await get(url, { headers, signal });
  if (!isBusy(answer.status)) return answer;
  const after = answer.headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1e3;
  await answer.body?.cancel();
  throw Object.assign(new Error(`answered ${answer.status} ${answer.statusText}`.trimEnd()), { seconds });
}

/** A file that is read by ranges; `head` are its first bytes, `version` tells it from another of the same address. */
function rangedFile(
  get: Get,
  url: string,
  head: Uint8Array<ArrayBuffer>,
  size: number,
  version: string | undefined,
): SourceFile {
  return {
    size,
    label: url,
    async read(start, end, signal, arrived) {
      if (end <= head.length) return head.slice(start, end);
      const bytes = new Uint8Array(end - start);
      let done = 0;
      let thrown: { readonly error: unknown } | undefined; // by the caller: no fault of the connection
      const tell = (): void => {
        try {
          arrived?.(done);
        } catch (error) {
          thrown = { error };
        }
      };
      const readOn = async (): Promise<void> => {
        const answer = await request(get, url, [start + done, end], signal);
        const from = checkAnswer(answer, url, start + done, size, version);
        let skip = start + done - from;
        await eachChunk(answer, (chunk) => {
          const part = chunk.subarray(Math.min(skip, chunk.length)).subarray(0, bytes.length - done);
          skip = Math.max(0, skip - chunk.length);
          bytes.set(part, done);
          done += part.length;
          tell();
          return !thrown && done < bytes.length;
        });
      };
      while (done < bytes.length) {
        const before = done;
        await persist(url, signal, readOn, { made: () => done });
        if (thrown) throw thrown.error;
        if (done === before)
          throw new CheckpointError(`${url}: must give bytes ${start + done} to ${end}, gave none of them`);
      }
      return bytes;
    },
  };
}

/** Where the bytes of an answer to a later request begin. Throws CheckpointError when they are not of the same file. */
function checkAnswer(answer: Response, url: string, start: number, size: number, version: string | undefined): number {
  const range = readRange(answer);
  const its = versionOf(answer);
  if (answer.status === 416 || (range && range.size !== size) || (answer.ok && its && version && its !== version))
    throw new CheckpointError(`${url}: must stay the same while it is read, it was replaced; load again`);
  if (answer.status === 200) return 0;
  if (answer.status !== 206 || !range || range.start > start || isEncoded(answer))
    throw new CheckpointError(
      `${url}: must answer with bytes from ${start} on, answered ${answer.status} with ${answer.headers.get("content-range") ?? "no range"}${isEncoded(answer) ? ", compressed" : ""}`,
    );
  return range.start;
}

/** The range of a partial answer, `end` excluded; undefined when it is not readable (other origins may hide it). */
function readRange({ headers }: Response): { start: number; end: number; size: number } | undefined {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get("content-range") ?? "");
  return found ? { start: Number(found[1]), end: Number(found[2]) + 1, size: Number(found[3]) } : undefined;
}

const isEncoded = ({ headers }: Response): boolean => (headers.get("content-encoding") ?? "identity") !== "identity";

/** What changes with the content of a file; undefined when the server does not say. */
function versionOf({ headers }: Response): string | undefined {
  const tag = headers.get("etag");
  return (tag?.startsWith("W/") ? undefined : tag) ?? headers.get("last-modified") ?? undefined;
}

/** Hands over the bytes of an answer as they come, until `take` returns false. */
async function eachChunk(answer: Response, take: (chunk: Uint8Array<ArrayBuffer>) => boolean): Promise<void> {
  const reader = answer.body?.getReader();
  try {
    while (reader) {
      const { done, value } = await reader.read();
      if (done) return;
      if (!take(value)) return await reader.cancel();
    }
  } finally {
    reader?.releaseLock();
  }
}

const BLOCK = 2 ** 24; // bytes that are kept outside of blobs, which may lie on disk

async function readBody(answer: Response, label: string, limit: number, signal?: AbortSignal): Promise<Blob> {
  const blobs: Blob[] = [];
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let [loose, size] = [0, 0];
  const pack = (): void => {
    blobs.push(new Blob(chunks));
    [chunks, loose] = [[], 0];
  };
  await eachChunk(answer, (chunk) => {
    signal?.throwIfAborted();
    chunks.push(chunk);
    size += chunk.length;
    if ((loose += chunk.length) >= BLOCK) pack();
    return size <= limit;
  });
  if (size > limit) throw new CheckpointError(`${label}: must have at most ${limit} bytes, got more`);
  pack();
  return new Blob(blobs);
}
