import { builtinModule } from "../../runtime/builtin.js";
import { hostObject } from "../../runtime/host.js";
import type { SourceFile } from "../checkpoint/source.js";
import type { HubSettings } from "./settings.js";

/** A file of a repository at a commit. */
export interface CacheKey {
  readonly commit: string;
  readonly name: string;
  /** Of its content; undefined in browsers, which do not see it. */
  readonly etag: string | undefined;
  readonly size: number;
}

/** Where the files of one repository are kept. */
export interface HubCache {
  /** To show to people. */
  readonly place: string;
  /** The commit that a branch or a tag had the last time; undefined when there is none. */
  commitOf(revision: string): Promise<string | undefined>;
  /** Remembers the commit of a branch or a tag. */
  remember(revision: string, commit: string): Promise<void>;
  /** A file that is kept; null when it is known to be absent, undefined when neither is known. */
  find(commit: string, name: string): Promise<SourceFile | null | undefined>;
  /** Remembers that the repository has no such file. */
  markAbsent(commit: string, name: string): Promise<void>;
  /** Begins to keep a file, or goes on where an earlier try ended. Waits while another process does the same. */
  begin(key: CacheKey, signal?: AbortSignal, arrived?: (bytes: number) => void): Promise<Download>;
}

/** A file on its way into a cache. */
export interface Download {
  /** Bytes from its start that are there. */
  readonly held: number;
  /** Adds the next bytes. */
  append(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Ends it: the file is whole, and checked. */
  finish(): Promise<SourceFile>;
  /** Leaves it for a later try. */
  leave(): Promise<void>;
}

/** The cache of a repository; undefined when nothing is to be kept, or there is no place for it. */
export async function openCache(settings: HubSettings): Promise<HubCache | undefined> {
  const { cacheDir } = settings;
  if (cacheDir === false) return undefined;
  if (builtinModule("node:fs/promises"))
    return cacheDir === undefined ? undefined : (await import("./disk.js")).diskCache(cacheDir, settings.repo);
  return hostObject("caches") && (await import("./page.js")).pageCache(settings);
}
