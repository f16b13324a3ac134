import type { AdapterInfo } from "./device.js";
import type { Winners } from "./variants.js";

/** Keeps winners of `tune` from one session to the next: in a file in Node and Deno, in the Cache of a browser. */
export interface WinnerStore {
  /** Where they lie, for people. */
  readonly place: string;
  read(): Promise<Winners>;
  write(winners: Winners): Promise<void>;
}

/** What `tune` found on this adapter. */
export interface Tuning {
  winners(): Winners;
  /** Adds winners, for the plans that are prepared from now on, and keeps them for later sessions. */
  keep(winners: Winners): Promise<void>;
  /** Where they are kept; nowhere when absent. */
  readonly place?: string;
}

/** The winners kept for this adapter; none, and none kept, when not `tuned`. */
export async function openTuning(info: AdapterInfo, tuned: boolean): Promise<Tuning> {
  const store = tuned ? winnerStore(info) : undefined;
  let winners: Winners = (await store?.read()) ?? {};
  return {
    winners: () => winners,
    async keep(more) {
      winners = { ...winners, ...more };
      await store?.write(winners);
    },
    place: store?.place,
  };
}

const VERSION = 1; // of the format; winners of another are not read

interface Global {
  readonly caches?: CacheStorage;
  readonly process?: { readonly platform: string; readonly env: Readonly<Record<string, string | undefined>> };
}

/** The store of one kind of adapter in this runtime; nothing where neither files nor a Cache are at hand. */
export function winnerStore({ vendor, architecture, description }: AdapterInfo): WinnerStore | undefined {
  const { process, caches } = globalThis as Global;
  const name = `${vendor} ${architecture} ${description}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const file = `winners-${VERSION}-${name.slice(0, 80)}.json`;
  if (process?.env) return fileStore(`${cacheFolder(process)}/wgformer`, file);
  return caches && cacheStore(caches, file);
}

function cacheFolder({ platform, env }: NonNullable<Global["process"]>): string {
  if (env.WGFORMER_CACHE) return env.WGFORMER_CACHE;
  if (platform === "win32") return env.LOCALAPPDATA ?? env.TEMP ?? ".";
  return env.XDG_CACHE_HOME ?? `${env.HOME ?? "/tmp"}/${platform === "darwin" ? "Library/Caches" : ".cache"}`;
}

function fileStore(folder: string, file: string): WinnerStore {
  const place = `${folder}/${file}`;
  return {
    place,
    async read() {
      const { readFile } = await import("node:fs/promises");
      return parse(await readFile(place, "utf8").catch(() => "{}"));
    },
    async write(winners) {
      const { mkdir, rename, writeFile } = await import("node:fs/promises");
      await mkdir(folder, { recursive: true });
      await writeFile(`${place}.new`, JSON.stringify(winners, null, 1)); // a reader sees the old file or the new one
      await rename(`${place}.new`, place);
    },
  };
}

function cacheStore(caches: CacheStorage, file: string): WinnerStore {
  const url = `https://wgformer.invalid/${file}`;
  return {
    place: `Cache "wgformer", ${url}`,
    async read() {
      const found = await (await caches.open("wgformer")).match(url);
      return parse((await found?.text()) ?? "{}");
    },
    async write(winners) {
      await (await caches.open("wgformer")).put(url, new Response(JSON.stringify(winners)));
    },
  };
}

/** A broken file counts as none: winners can be measured again. */
function parse(text: string): Winners {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Winners) : {};
  } catch {
    return {};
  }
}
