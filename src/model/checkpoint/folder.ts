import { builtinModule, type Builtins } from "../../runtime/builtin.js";
import { CheckpointError } from "../../runtime/errors.js";
import type { CheckpointSource, SourceFile } from "./source.js";

const LARGEST_READ = 2 ** 30; // bytes; Node aborts at 2^31
const ABSENT = new Set(["ENOENT", "ENOTDIR"]);

/** A folder of the file system of Node or Deno. */
export function folderSource(folder: string): CheckpointSource {
  return {
    label: folder,
    async open(name) {
      const file = await openPath(`${folder.replace(/\/+$/, "")}/${name}`);
      if (file || (await isThere(folder))) return file;
      throw new CheckpointError(`${folder}: must be a folder with a checkpoint, there is none of this path`);
    },
  };
}

/** Whether there is anything of this path, in Node or Deno. */
export async function isThere(path: string): Promise<boolean> {
  try {
    return (await builtinModule("node:fs/promises")?.stat(path)) !== undefined;
  } catch (error) {
    const { code } = error as { code?: string }; // none where Deno does not let the program see it
    return code !== undefined && !ABSENT.has(code);
  }
}

/** A file of the file system of Node or Deno; undefined when there is none. Throws CheckpointError elsewhere. */
export async function openPath(path: string): Promise<SourceFile | undefined> {
  const files = fileSystem(path);
  try {
    const found = await files.stat(path);
    return found.isFile() ? diskFile(files, path, found.size) : undefined;
  } catch (cause) {
    if (ABSENT.has((cause as { code: string }).code)) return undefined;
    throw unreadable(path, cause);
  }
}

function fileSystem(path: string): Builtins["node:fs/promises"] {
  const files = builtinModule("node:fs/promises");
  if (files) return files;
  throw new CheckpointError(
    `load: a path needs Node or Deno, got ${path} in a browser; give a URL (starting with http) or Files`,
  );
}

const unreadable = (path: string, cause: unknown): CheckpointError =>
  new CheckpointError(`${path}: must be readable, ${(cause as Error).message}`, { cause });

function diskFile({ open }: Builtins["node:fs/promises"], path: string, size: number): SourceFile {
  return {
    size,
    label: path,
    async read(start, end) {
      const handle = await open(path, "r").catch((cause) => Promise.reject(unreadable(path, cause)));
      try {
        const bytes = new Uint8Array(end - start);
        for (let at = 0; at < bytes.length;) {
          const { bytesRead } = await handle.read(bytes, at, Math.min(LARGEST_READ, bytes.length - at), start + at);
          if (bytesRead === 0)
            throw new CheckpointError(`${path}: must have ${end} bytes, ended at ${start + at}; fetch the file again`);
          at += bytesRead;
        }
        return bytes;
      } catch (cause) {
        throw cause instanceof CheckpointError ? cause : unreadable(path, cause);
      } finally {
        await handle.close();
      }
    },
  };
}
