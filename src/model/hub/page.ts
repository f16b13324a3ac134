import { CheckpointError } from "../../runtime/errors.js";
import { hostObject } from "../../runtime/host.js";
import { reasonOf } from "../checkpoint/persist.js";
import type { SourceFile } from "../checkpoint/source.js";
import type { CacheKey, HubCache } from "./cache.js";
import { PIECE } from "./download.js";
import { PAGE_CACHE, REFS, SIZE } from "./page_names.js";
import type { HubSettings } from "./settings.js";

/** Where a page keeps a repository: a URL that nobody asks the network for. */
const repoUrl = (endpoint: string, repo: string): string => `${endpoint}/models--${repo.replaceAll("/", "--")}`;

/**
 * The Cache of a page. Files are kept as pieces of 8 MiB, each an entry: they are read by ranges without more than one of
 * them in memory, and a download goes on with the next piece. Tabs that fetch the same file wait for each other.
 */
export async function pageCache({ endpoint, repo }: HubSettings): Promise<HubCache> {
  const store = await (hostObject("caches") as CacheStorage).open(PAGE_CACHE);
  const root = repoUrl(endpoint, repo);
  const { keep, held, open, urlOf } = createPieces(store, root, repo);
  const ref = (revision: string): string => `${root}/${REFS}/${revision}`;
  return {
    place: `of ${hostObject("location")?.origin ?? "this page"}`,
    commitOf: async (revision) => (await store.match(ref(revision)))?.text(),
    remember: (revision, commit) => keep(ref(revision), commit),
    async find(commit, name) {
      const first = await store.match(urlOf({ commit, name }, 0));
      if (!first) return undefined;
      if (first.status === 404) return null;
      const file = { commit, name, size: Number(first.headers.get(SIZE)) };
      return (await held(file)) === file.size ? open(file) : undefined;
    },
    markAbsent: (commit, name) => keep(urlOf({ commit, name }, 0), null, {}, 404),
    async begin(file, signal) {
      const leave = await lock(`${PAGE_CACHE} ${root}/${file.commit}/${file.name}`, signal);
      let at = await held(file);
      return {
        held: at,
        async append(bytes) {
          await keep(urlOf(file, Math.floor(at / PIECE)), bytes, { [SIZE]: String(file.size) });
          at += bytes.length;
        },
        async finish() {
          await leave();
          return open(file);
        },
        leave,
      };
    },
  };
}

type PageFile = Omit<CacheKey, "etag">;

/** The pieces of files in a Cache. */
function createPieces(store: Cache, root: string, repo: string) {
  const urlOf = ({ commit, name }: Omit<PageFile, "size">, piece: number): string =>
    new URL(`${root}/${commit}/${name}?piece=${piece}`).href;
  const read = async (file: PageFile, piece: number): Promise<ArrayBuffer> => {
    const found = await store.match(urlOf(file, piece));
    if (found) return found.arrayBuffer();
    throw new CheckpointError(`${repo}: ${file.name} must stay in the cache, it was removed; load again`);
  };
  return {
    urlOf,
    async keep(url: string, body: BodyInit | null, headers = {}, status = 200): Promise<void> {
      try {
        await store.put(url, new Response(body, { headers: { date: new Date().toUTCString(), ...headers }, status }));
      } catch (cause) {
        throw new CheckpointError(
          `${repo}: the storage of this site must have room for it, ${reasonOf(cause)}; remove other models with removeFromCache(), or pass cache_dir: false to keep nothing`,
          { cause },
        );
      }
    },
    /** Bytes from the start that are there. */
    async held(file: PageFile): Promise<number> {
      const kept = new Set((await store.keys(urlOf(file, 0), { ignoreSearch: true })).map(({ url }) => url));
      let piece = 0;
      while (piece * PIECE < file.size && kept.has(urlOf(file, piece))) piece++;
      return Math.min(file.size, piece * PIECE);
    },
    open(file: PageFile): SourceFile {
      let last: { readonly piece: number; readonly bytes: Promise<ArrayBuffer> } | undefined; // neighbours often share it
      return {
        size: file.size,
        label: `${repo}/${file.name}`,
        async read(start, end) {
          const bytes = new Uint8Array(end - start);
          for (let at = start; at < end;) {
            const piece = Math.floor(at / PIECE);
            if (last?.piece !== piece) last = { piece, bytes: read(file, piece) };
            const part = new Uint8Array(await last.bytes, at - piece * PIECE).subarray(0, end - at);
            bytes.set(part, at - start);
            at += part.length;
          }
          if (end === file.size) last = undefined;
          return bytes;
        },
      };
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
