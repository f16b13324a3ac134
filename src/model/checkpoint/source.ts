import { builtinModule } from "../../runtime/builtin.js";
import { CheckpointError } from "../../runtime/errors.js";

/** A file of a checkpoint that can be read by byte range. */
export interface SourceFile {
  /** In bytes. */
  readonly size: number;
  /** The bytes from `start` to `end`, `end` excluded. */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** Where the files of a checkpoint come from. */
export interface CheckpointSource {
  /** Its name in messages. */
  readonly label: string;
  /** The file of this name; undefined when there is none. */
  open(name: string, signal?: AbortSignal): Promise<SourceFile | undefined>;
}

type Content = Response | Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | undefined | null;

/**
 * A folder path (Node, Deno), a base URL, the files of a folder, a function from file name to content, or your own
 * source.
 */
export type SourceLike =
  string | URL | readonly File[] | ((name: string, signal?: AbortSignal) => Promise<Content>) | CheckpointSource;

/** Makes a source of what the caller gives. Throws CheckpointError when it is none of these kinds. */
export function openSource(input: SourceLike): CheckpointSource {
  if (typeof input === "function") return functionSource(input);
  if (typeof input === "string" && !/^(https?|blob|file):/.test(input)) return folderSource(input);
  if (typeof input === "string" || input instanceof URL) {
    const url = new URL(input);
    return url.protocol === "file:" ? folderSource(decodeURIComponent(url.pathname)) : urlSource(url);
  }
  if (Array.isArray(input) && input.every((file) => file instanceof File)) return filesSource(input);
  if (typeof (input as CheckpointSource | undefined)?.open === "function") return input as CheckpointSource;
  throw new CheckpointError(
    `load: the source must be a folder path, a URL, a list of Files or a function, got ${Object.prototype.toString.call(input)}`,
  );
}

function blobFile(blob: Blob): SourceFile {
  return {
    size: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

function folderSource(folder: string): CheckpointSource {
  return {
    label: folder,
    async open(name) {
      const files = builtinModule("node:fs/promises");
      if (!files)
        throw new CheckpointError(
          `load: a folder path needs Node or Deno, got ${folder} in a browser; give a URL (starting with http) or a list of Files`,
        );
      const { open, stat } = files;
      const path = `${folder.replace(/\/+$/, "")}/${name}`;
      const found = await stat(path).catch(() => undefined);
      if (!found?.isFile()) return undefined;
      return {
        size: found.size,
        async read(start, end) {
          const handle = await open(path, "r");
          try {
            const bytes = new Uint8Array(end - start);
            let at = 0;
            while (at < bytes.length) {
              const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
              if (bytesRead === 0)
                throw new CheckpointError(
                  `${path}: must have ${end} bytes, ended at ${start + at}; fetch the file again`,
                );
              at += bytesRead;
            }
            return bytes;
          } finally {
            await handle.close();
          }
        },
      };
    },
  };
}

const FIRST_REQUEST = 65536; // bytes: enough for most headers and JSON files

function urlSource(base: URL): CheckpointSource {
  const folder = base.href.replace(/\/*$/, "/");
  return {
    label: base.href,
    async open(name, signal) {
      const url = new URL(name, folder).href;
      const request = async (start: number, end: number, signal?: AbortSignal): Promise<Response> => {
        const response = await fetch(url, { headers: { Range: `bytes=${start}-${end - 1}` }, signal });
        if (!response.ok && response.status !== 404)
          throw new CheckpointError(
            `${url}: must answer with the file, answered ${response.status} ${response.statusText}`,
          );
        return response;
      };
      const first = await request(0, FIRST_REQUEST, signal);
      if (first.status === 404) return undefined;
      const head = new Uint8Array(await first.arrayBuffer());
      if (first.status !== 206) return blobFile(new Blob([head])); // a server without ranges: this is the whole file
      const size = Number(first.headers.get("content-range")?.split("/")[1]);
      if (!Number.isInteger(size))
        throw new CheckpointError(
          `${url}: a partial answer must state the file's size in content-range, got ${first.headers.get("content-range")}`,
        );
      return {
        size,
        async read(start, end, readSignal) {
          if (end <= head.length) return head.slice(start, end);
          return new Uint8Array(await (await request(start, end, readSignal)).arrayBuffer());
        },
      };
    },
  };
}

function filesSource(files: readonly File[]): CheckpointSource {
  return {
    label: `${files.length} files`,
    async open(name) {
      const path = (file: File): string => file.webkitRelativePath || file.name;
      const found = files.filter((file) => path(file) === name || path(file).endsWith(`/${name}`));
      const [nearest] = found.sort((a, b) => path(a).length - path(b).length); // not one in a subfolder
      return nearest && blobFile(nearest);
    },
  };
}

function functionSource(content: (name: string, signal?: AbortSignal) => Promise<Content>): CheckpointSource {
  return {
    label: "a function",
    async open(name, signal) {
      const found = await content(name, signal);
      if (found === undefined || found === null) return undefined;
      if (found instanceof Blob) return blobFile(found);
      if (found instanceof ArrayBuffer || found instanceof Uint8Array) return blobFile(new Blob([found]));
      if (found.status === 404) return undefined;
      if (!found.ok)
        throw new CheckpointError(
          `${name}: must be answered with the file, answered ${found.status} ${found.statusText}`,
        );
      return blobFile(await found.blob());
    },
  };
}
