import { hostObject } from "../../runtime/host.js";
import { PIECE } from "./download.js";
import type { CachedRevision, CacheEntry } from "./entries.js";
import { PAGE_CACHE, REFS, SIZE } from "./page_names.js";

const openStore = (): Promise<Cache> => (hostObject("caches") as CacheStorage).open(PAGE_CACHE);

/** An entry of the Cache: a piece of a file, or a ref. */
interface Kept {
  readonly url: string;
  /** Where its repository is kept, and the repository. */
  readonly place: string;
  readonly id: string;
  /** Undefined for a ref. */
  readonly commit: string | undefined;
  readonly name: string;
  /** What a ref says. */
  readonly text: string;
  readonly bytes: number;
  readonly used: number;
}

async function listKept(store: Cache): Promise<Kept[]> {
  const read = async ({ url }: Request): Promise<Kept | undefined> => {
    const [, place, repo, commit, name, piece] =
      /^(.+?\/models--([^/]+))\/([^/]+)\/(.+?)(?:\?piece=(\d+))?$/.exec(url) ?? [];
    const found = await store.match(url);
    if (!found || place === undefined) return undefined;
    const isRef = commit === REFS;
    const left = Number(found.headers.get(SIZE)) - Number(piece) * PIECE;
    return {
      url,
      place,
      id: repo.replaceAll("--", "/"),
      commit: isRef ? undefined : commit,
      name,
      text: isRef ? await found.text() : "",
      bytes: isRef || found.status === 404 ? 0 : Math.min(PIECE, left),
      used: Date.parse(found.headers.get("date") ?? ""),
    };
  };
  return (await Promise.all((await store.keys()).map(read))).filter((entry) => entry !== undefined);
}

/** The models that this page's origin keeps. */
export async function pageEntries(): Promise<CacheEntry[]> {
  const all = await listKept(await openStore());
  return Array.from(new Set(all.map(({ place }) => place)), (place) => {
    const kept = all.filter((entry) => entry.place === place);
    return {
      id: kept[0].id,
      place,
      bytes: kept.reduce((sum, { bytes }) => sum + bytes, 0),
      revisions: revisionsOf(kept),
      lastUsed: new Date(Math.max(...kept.map(({ used }) => used))),
    };
  });
}

function revisionsOf(kept: readonly Kept[]): CachedRevision[] {
  const commits = new Set(kept.flatMap(({ commit, bytes }) => (commit && bytes ? [commit] : [])));
  return Array.from(commits, (commit) => {
    const own = kept.filter((entry) => entry.commit === commit && entry.bytes > 0);
    return {
      commit,
      refs: kept.filter(({ text }) => text === commit).map(({ name }) => name),
      files: [...new Set(own.map(({ name }) => name))].sort(),
      bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  });
}

/** Removes a model, or one commit of it. */
export async function removeInPage({ id }: CacheEntry, commit: string | undefined): Promise<void> {
  const store = await openStore();
  const gone = (entry: Kept): boolean =>
    entry.id === id && (commit === undefined || entry.commit === commit || entry.text === commit);
  for (const entry of await listKept(store)) if (gone(entry)) await store.delete(entry.url);
}
