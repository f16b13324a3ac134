import { CheckpointError } from "../../runtime/errors.js";
import { hostObject } from "../../runtime/host.js";
import { reasonOf } from "../checkpoint/persist.js";
import type { SourceFile } from "../checkpoint/source.js";
import type { CacheKey, Download, HubCache } from "./cache.js";
import { PIECE } from "./download.js";
import type { HubSettings } from "./settings.js";

/** The name of the Cache of a page. Another layout gets another name. */
export const PAGE_CACHE = "wgformer-hub-1";

/** The header with the size of the whole file, beside each of its pieces. */
export const SIZE = "x-file-size";
/** What stands in the place of the commit for what branches and tags are. */
export const REFS = "refs";

/** Where a page keeps a repository: a URL that nobody asks the network for. */
export const repoUrl = (endpoint: string, repo: string): string => `${endpoint}/models--${repo.replaceAll("/", "--")}`;

/**
 * The Cache of a page. Files are kept as pieces of 8 MiB, each an entry: they are read by ranges without more than one of
 * them in memory, and a download goes on with the next piece. Tabs that fetch the same file wait for each other.
 */
export async function pageCache({ endpoint, repo }: HubSettings): Promise<HubCache> {
  const store = await (hostObject("caches") as CacheStorage).open(PAGE_CACHE);
  const root = repoUrl(endpoint, repo);
  const ref = (revision: string): string => `${root}/${REFS}/${revision}`;
  const pieceOf = (commit: string, name: string, piece: number): string => `${root}/${commit}/${name}?piece=${piece}`;
  const keep = async (url: string, body: BodyInit | null, headers = {}, status = 200): Promise<void> => {
    try {
      await store.put(url, new Response(body, { headers: { date: new Date().toUTCString(), ...headers }, status }));
    } catch (cause) {
      throw new CheckpointError(
        `${repo}: the storage of this site must have room for it, ${reasonOf(cause)}; remove other models with removeFromCache(), or pass cache_dir: false to keep nothing`,
        { cause },
      );
    }
  };
  const heldOf = async ({ commit, name, size }: Omit<CacheKey, "etag">): Promise<number> => {
    const kept = new Set((await store.keys(pieceOf(commit, name, 0), { ignoreSearch: true })).map(({ url }) => url));
    let piece = 0;
    while (piece * PIECE < size && kept.has(new URL(pieceOf(commit, name, piece)).href)) piece++;
    return Math.min(size, piece * PIECE);
  };
  const fileOf = (commit: string, name: string, size: number): SourceFile => {
    let last: { readonly piece: number; readonly bytes: Promise<ArrayBuffer> } | undefined; // neighbours often share it
    const read = async (piece: number): Promise<ArrayBuffer> => {
      const found = await store.match(pieceOf(commit, name, piece));
      if (!found) throw new CheckpointError(`${repo}: ${name} must stay in the cache, it was removed; load again`);
      return found.arrayBuffer();
    };
    return {
      size,
      label: `${repo}/${name}`,
      async read(start, end) {
        const bytes = new Uint8Array(end - start);
        for (let at = start; at < end;) {
          const piece = Math.floor(at / PIECE);
          if (last?.piece !== piece) last = { piece, bytes: read(piece) };
          const part = new Uint8Array(await last.bytes, at - piece * PIECE).subarray(0, end - at);
          bytes.set(part, at - start);
          at += part.length;
        }
        if (end === size) last = undefined;
        return bytes;
      },
    };
  };
  return {
    place: `of ${hostObject("location")?.origin ?? "this page"}`,
    commitOf: async (revision) => (await store.match(ref(revision)))?.text(),
    remember: (revision, commit) => keep(ref(revision), commit),
    async find(commit, name) {
      const first = await store.match(pieceOf(commit, name, 0));
      if (!first) return undefined;
      if (first.status === 404) return null;
      const size = Number(first.headers.get(SIZE));
      return (await heldOf({ commit, name, size })) === size ? fileOf(commit, name, size) : undefined;
    },
    markAbsent: (commit, name) => keep(pieceOf(commit, name, 0), null, {}, 404),
    async begin(key, signal) {
      const leave = await lock(`${PAGE_CACHE} ${root}/${key.commit}/${key.name}`, signal);
      let held = await heldOf(key);
      const download: Download = {
        held,
        async append(bytes) {
          const url = pieceOf(key.commit, key.name, Math.floor(held / PIECE));
          await keep(url, bytes, { [SIZE]: String(key.size) });
          held += bytes.length;
        },
        async finish() {
          await leave();
          return fileOf(key.commit, key.name, key.size);
        },
        leave,
      };
      return download;
    },
  };
}

/** Waits for a lock of all tabs, where there are such; resolves with what gives it back. */
async function lock(name: string, signal?: AbortSignal): Promise<() => Promise<void>> {
  const locks = hostObject("navigator")?.locks;
  if (!locks) return async () => {};
  return new Promise((resolve, reject) => {
    locks
      .request(name, { signal }, () => new Promise<void>((free) => resolve(async () => free())))
      .catch((error: Error) => reject(error));
  });
}
