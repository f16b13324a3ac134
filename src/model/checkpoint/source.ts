import { builtinModule, variable } from "../../runtime/builtin.js";
import { CheckpointError, OptionError, show } from "../../runtime/errors.js";
import type { HubOptions } from "../hub/settings.js";
import { folderSource, isThere, openPath } from "./folder.js";
import { answeredFile, openUrl, urlSource } from "./http.js";
import { reasonOf } from "./persist.js";

/** A file of a checkpoint that can be read by byte range. */
export interface SourceFile {
  /** In bytes. */
  readonly size: number;
  /** Its name in messages. Default: its name in the source. */
  readonly label?: string;
  /** The bytes from `start` to `end`, `end` excluded. `arrived` is told how many of them are there, if that takes time. */
  read(
    start: number,
    end: number,
    signal?: AbortSignal,
    arrived?: (bytes: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** Brings a file that lies elsewhere into a cache, from which it is read then. Absent where there is none. */
  fetch?(signal?: AbortSignal, arrived?: (bytes: number) => void): Promise<void>;
}

/** Where the files of a checkpoint come from. */
export interface CheckpointSource {
  /** Its name in messages. */
  readonly label: string;
  /**
   * Whether its files can be read again after the device was lost. If it does not say so, a model keeps a copy of its
   * weights on the host.
   */
  readonly rereadable?: boolean;
  /** The file of this name; undefined when there is none. Names are relative, with "/" between folders. */
  open(name: string, signal?: AbortSignal): Promise<SourceFile | undefined>;
}

type Content = Response | Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | URL | string | undefined | null;

/**
 * A model of the Hub (`org/name`, `org/name@revision`, the URL of its page), a folder path (Node, Deno), a base URL (in a
 * page also a relative one that begins with a dot or a slash), the files of a folder, a function from file name to content
 * or to the URL of the file, or your own source.
 */
export type SourceLike =
  | string
  | URL
  | ArrayLike<File>
  | ((name: string, signal?: AbortSignal) => Content | Promise<Content>)
  | CheckpointSource;

/**
 * Makes a source of what the caller gives. `options` are for models of the Hub. Throws CheckpointError when it is none of
 * these kinds, and OptionError for a revision of anything but a model of the Hub.
 */
export function openSource(input: SourceLike, options: HubOptions = {}): CheckpointSource {
  const isPlace = typeof input === "string" || isKind(input, "URL");
  if (isPlace) return { ...placeSource(String(input), options), rereadable: true };
  checkPlain(options);
  const own = typeof (input as CheckpointSource | undefined)?.open === "function";
  return own ? (input as CheckpointSource) : { ...knownSource(input), rereadable: true };
}

function checkPlain({ revision }: HubOptions): void {
  if (revision !== undefined)
    throw new OptionError(
      `load: revision must be absent where the source is no model of the Hub, got ${show(revision)}`,
    );
}

function knownSource(input: SourceLike): CheckpointSource {
  if (typeof input === "function") return functionSource(input);
  const files = isKind(input, "FileList") || Array.isArray(input) ? Array.from(input as ArrayLike<File>) : undefined;
  if (files?.every((file) => isKind(file, "File"))) return filesSource(files);
  throw new CheckpointError(
    `load: the source must be a model of the Hub, a folder path, a URL, a list of Files or a function, got ${Object.prototype.toString.call(input)}`,
  );
}

/** Whether a value is of a class of the platform, of this or another realm (a frame, a context of node:vm). */
export const isKind = (value: unknown, kind: string): boolean =>
  Object.prototype.toString.call(value) === `[object ${kind}]`;

// What may name a model of the Hub: hub/place.ts reads it closely.
const ADDRESS = /^(hf:|https?:\/\/(www\.)?(huggingface\.co|hf\.co)\/)/i;
const NAME = /^\w[\w.-]*(\/[\w.-]+)?(@|$)/;

/** A model of the Hub, a folder path or a URL. What is there at a path has precedence over a model of its name. */
function placeSource(place: string, options: HubOptions): CheckpointSource {
  const plain = (): CheckpointSource => {
    checkPlain(options);
    return folderOrUrl(place);
  };
  const { endpoint = variable("HF_ENDPOINT") } = options;
  const isAddress = ADDRESS.test(place) || (endpoint !== undefined && place.startsWith(endpoint));
  if (!isAddress && !NAME.test(place)) return plain();
  const choose = async (): Promise<CheckpointSource> => {
    if (!isAddress && (await isThere(place))) return plain();
    return (await (await import("../hub/hub.js")).hubSource(place, options)) ?? plain();
  };
  let opening: Promise<CheckpointSource> | undefined;
  return { label: place, open: async (name, signal) => (await (opening ??= choose())).open(name, signal) };
}

function folderOrUrl(place: string): CheckpointSource {
  const url = addressOf(place);
  if (typeof url === "string") return folderSource(url);
  if (/^(blob|data):/.test(url.protocol))
    throw new CheckpointError(
      `load: ${show(place)} must be the URL of a folder, got that of one file; give a function from file name to its URL`,
    );
  return urlSource(url);
}

/** A file by its path (Node, Deno) or URL; undefined when there is none. Throws CheckpointError. */
export async function openFile(place: string, signal?: AbortSignal): Promise<SourceFile | undefined> {
  const url = addressOf(place);
  return typeof url === "string" ? openPath(url) : openUrl(url.href, place, signal);
}

/** The path or the URL that a text stands for. */
function addressOf(place: string): string | URL {
  if (/^file:/i.test(place)) return pathOf(place);
  const isUrl = /^([a-z][a-z\d+.-]+:\/\/|(https?|blob|data):)/i.test(place);
  const page = isUrl ? undefined : pageAddress();
  return isUrl || page !== undefined ? urlOf(place, page) : place;
}

function urlOf(text: string, base?: string): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch (cause) {
    throw new CheckpointError(`load: the source must be a path or a URL, got ${show(text)}`, { cause });
  }
  // Pages may have schemes of their own, such as those of extensions and of apps.
  if (builtinModule("node:fs/promises") && !/^(https?|file|blob|data):/.test(url.protocol))
    throw new CheckpointError(
      `load: a URL must begin with http:, https: or file:, got ${show(text)}; give a function that fetches it`,
    );
  return url;
}

/** The path of a file: URL. */
function pathOf(url: string): string {
  try {
    return decodeURIComponent(urlOf(url).pathname).replace(/^\/([a-z]:)/i, "$1"); // a drive of Windows
  } catch (cause) {
    throw new CheckpointError(`load: the source must be a file: URL with a readable path, got ${show(url)}`, { cause });
  }
}

/** What relative URLs stand for in a page or a worker; undefined where paths are those of folders. */
function pageAddress(): string | undefined {
  if (builtinModule("node:fs/promises")) return undefined;
  const { document, location } = globalThis as {
    document?: { baseURI?: string };
    location?: { href: string; origin: string };
  };
  const address = document?.baseURI ?? location?.href;
  return address?.startsWith("blob:") ? location?.origin : address; // a worker that was made from a blob
}

const blobFile = (blob: Blob, label?: string): SourceFile => ({
  size: blob.size,
  label,
  read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
});

const bytesFile = (bytes: Uint8Array<ArrayBuffer>, label: string): SourceFile => ({
  size: bytes.length,
  label,
  read: async (start, end) => bytes.slice(start, end),
});

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

function functionSource(content: (name: string, signal?: AbortSignal) => Content | Promise<Content>): CheckpointSource {
  return {
    label: "a function",
    async open(name, signal) {
      try {
        return await openContent(content, name, signal);
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        // What `fetch` throws when a connection fails; other errors are the caller's own.
        throw new CheckpointError(`${name}: must be readable, ${reasonOf(cause)}`, { cause });
      }
    },
  };
}

async function openContent(
  content: (name: string, signal?: AbortSignal) => Content | Promise<Content>,
  name: string,
  signal?: AbortSignal,
): Promise<SourceFile | undefined> {
  const found = await content(name, signal);
  if (found === undefined || found === null) return undefined;
  if (typeof found === "string" || isKind(found, "URL")) return openUrl(urlOf(String(found)).href, name, signal);
  if (isKind(found, "Blob") || isKind(found, "File")) return blobFile(found as Blob, name);
  if (isKind(found, "ArrayBuffer")) return bytesFile(new Uint8Array(found as ArrayBuffer), name);
  if (ArrayBuffer.isView(found))
    return bytesFile(new Uint8Array(found.buffer, found.byteOffset, found.byteLength), name);
  if (typeof (found as Response).arrayBuffer === "function" && "status" in (found as Response))
    return answeredFile(found as Response, name, name, signal);
  throw new CheckpointError(
    `${name}: the function must give a Response, a Blob, an ArrayBuffer, a Uint8Array or a URL, got ${Object.prototype.toString.call(found)}`,
  );
}
