import { builtinModule } from "../../runtime/builtin.js";
import { InputError, OptionError, show } from "../../runtime/errors.js";
import { hostObject } from "../../runtime/host.js";
import { diskEntries, removeOnDisk } from "./disk_entries.js";
import { pageEntries, removeInPage } from "./page_entries.js";
import { hubPlace } from "./place.js";
import { cacheFolder } from "./settings.js";

/** A revision of a model in the cache. */
export interface CachedRevision {
  /** Its commit. */
  readonly commit: string;
  /** Branches and tags that it is. */
  readonly refs: readonly string[];
  /** Paths of its files. */
  readonly files: readonly string[];
  /** Of its files; what several revisions share is stored once. */
  readonly bytes: number;
}

/** A model of the Hub in the cache. */
export interface CacheEntry {
  /** org/name, as `load` takes it. */
  readonly id: string;
  /** Its folder; in a page, the address that its entries of the Cache begin with. */
  readonly place: string;
  /** All that it takes, incomplete downloads with it. */
  readonly bytes: number;
  /** Those of which there are files. */
  readonly revisions: readonly CachedRevision[];
  /** When a file was last read, as far as the file system says; in a page, when it was last loaded from the Hub. */
  readonly lastUsed: Date | undefined;
}

/** Which cache is meant. */
export interface CacheOptions {
  /** As of `load`: the folder of the cache, in Node, Deno and Bun. */
  readonly cache_dir?: string;
}

/** What the public `cacheEntries` does. */
export async function cacheEntries(options: CacheOptions): Promise<CacheEntry[]> {
  const folder = folderOf(options);
  if (folder !== undefined) return diskEntries(folder);
  return hostObject("caches") ? pageEntries() : [];
}

/** What the public `removeFromCache` does. */
export async function removeFromCache(model: string, options: CacheOptions): Promise<number> {
  const place = typeof model === "string" ? hubPlace(model) : undefined;
  if (!place)
    throw new InputError(`removeFromCache: the model must be org/name or org/name@revision, got ${show(model)}`);
  const { repo, revision } = place;
  const find = async (): Promise<CacheEntry | undefined> => (await cacheEntries(options)).find(({ id }) => id === repo);
  const entry = await find();
  if (!entry)
    throw new InputError(`removeFromCache: the model must be in the cache, got ${repo}; cacheEntries() lists them`);
  const found = entry.revisions.find(({ commit, refs }) => commit === revision || refs.includes(revision as string));
  if (revision !== undefined && !found)
    throw new InputError(
      `removeFromCache: the revision must be in the cache, got ${revision}; there are ${entry.revisions.map(({ commit, refs }) => refs[0] ?? commit).join(", ")}`,
    );
  const commit = revision === undefined ? undefined : found?.commit;
  await (folderOf(options) === undefined ? removeInPage : removeOnDisk)(entry, commit);
  return entry.bytes - ((await find())?.bytes ?? 0);
}

/** The folder of the cache; undefined in a page. Throws OptionError where none is known. */
function folderOf({ cache_dir = cacheFolder() }: CacheOptions): string | undefined {
  if (!builtinModule("node:fs/promises")) return undefined;
  if (cache_dir !== undefined) return cache_dir;
  throw new OptionError("cache: cache_dir must be given, no variable says where the cache is (HF_HUB_CACHE, HOME)");
}
