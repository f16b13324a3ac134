import type { Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { builtinModule } from "../../runtime/builtin.js";
import { CheckpointError } from "../../runtime/errors.js";
import { pause } from "../checkpoint/persist.js";
import type { Files } from "./disk.js";
import { PIECE } from "./download.js";

/** The beginning of a blob, in a file of its own that only one process writes. */
export interface Part {
  readonly held: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Checks it and gives it the blob's name. False when the blob was there already. Throws CheckpointError. */
  become(blob: string): Promise<boolean>;
  /** Leaves it for a later try. */
  leave(): Promise<void>;
}

const MARK = ".wgformer"; // Python's own incomplete files may have holes
const BEAT = 5e3; // ms between signs of life
const STALE = 60e3; // ms without any, after which the writer of a part has died
const WAIT = 0.25; // seconds between looks at another's part

/**
 * Makes the part of a blob, or takes the one that was left or whose process has died. Waits while another process writes
 * it, and tells `arrived` how far that is. Its time of change is the sign of life.
 */
export async function openPart(
  files: Files,
  blob: string,
  size: number,
  signal?: AbortSignal,
  arrived?: (bytes: number) => void,
): Promise<Part> {
  const [folder, etag] = blob.split(/\/(?=[^/]*$)/);
  const isWhole = async (): Promise<boolean> => (await look(files, blob)) !== undefined;
  for (;;) {
    signal?.throwIfAborted();
    if (await isWhole()) return whole(size);
    const names = (await files.readdir(folder)).filter((name) => name.startsWith(etag + MARK));
    const found = await Promise.all(names.map((name) => look(files, `${folder}/${name}`)));
    const alive = found.find((part) => part && Date.now() - part.mtimeMs < STALE);
    if (alive) {
      arrived?.(alive.size);
      await pause(WAIT, signal);
      continue;
    }
    const stale = found.find((part) => part !== undefined);
    const path = stale
      ? await take(files, stale.path, `${blob}${MARK}-${Math.random().toString(16).slice(2, 10)}.incomplete`)
      : await make(files, `${blob}${MARK}.incomplete`);
    if (path && !(await isWhole())) return writePart(files, path, etag, size);
    if (path) await files.rm(path); // another process was done meanwhile
  }
}

/** What is done when the blob is there. */
const whole = (size: number): Part => ({
  held: size,
  append: async () => {},
  become: async () => false,
  leave: async () => {},
});

async function look(files: Files, path: string): Promise<{ path: string; size: number; mtimeMs: number } | undefined> {
  const found = await files.stat(path).catch(() => undefined);
  return found && { path, size: found.size, mtimeMs: found.mtimeMs };
}

/** Only one process can rename a file, and only one can make it. Undefined for the others. */
async function take(files: Files, from: string, to: string): Promise<string | undefined> {
  try {
    await files.rename(from, to);
    await files.utimes(to, new Date(), new Date());
    return to;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

async function make(files: Files, path: string): Promise<string | undefined> {
  try {
    await files.writeFile(path, "", { flag: "wx" });
    return path;
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return undefined;
    throw error;
  }
}

/** Goes on with the file of a part, as its only writer. */
async function writePart(files: Files, path: string, etag: string, size: number): Promise<Part> {
  const handle = await files.open(path, "r+");
  let at = (await handle.stat()).size;
  if (at > size) {
    await handle.truncate(0);
    at = 0;
  }
  const hash = await hashOf(handle, etag, at);
  const beat = setInterval(() => void files.utimes(path, new Date(), new Date()).catch(() => {}), BEAT);
  let open = true;
  const close = async (): Promise<void> => {
    clearInterval(beat);
    if (open) await handle.close();
    open = false;
  };
  return {
    held: at,
    async append(bytes) {
      await files.stat(path); // throws when it was taken
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at);
        done += bytesWritten;
        at += bytesWritten;
      }
      hash?.update(bytes);
    },
    async become(blob) {
      await close();
      const sum = hash?.digest("hex");
      if (at !== size || (sum !== undefined && sum !== etag)) {
        await files.rm(path, { force: true });
        const fault = at === size ? `sha256 ${etag}, has ${sum}` : `${size} bytes, has ${at}`;
        throw new CheckpointError(`${blob}: must have ${fault}; it was removed, load again`);
      }
      await files.rename(path, blob);
      return true;
    },
    async leave() {
      await close();
      await files.utimes(path, 0, 0).catch(() => {}); // free at once
    },
  };
}

/** The SHA-256 of what is there, to go on with; undefined where the ETag is none. */
async function hashOf(handle: FileHandle, etag: string, size: number): Promise<Hash | undefined> {
  if (!/^[0-9a-f]{64}$/.test(etag)) return undefined;
  const hash = builtinModule("node:crypto")?.createHash("sha256");
  for (let at = 0; hash && at < size;) {
    const { bytesRead, buffer } = await handle.read(new Uint8Array(Math.min(PIECE, size - at)), 0, null, at);
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash;
}
