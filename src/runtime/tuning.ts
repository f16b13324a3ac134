import { builtinModule, type Builtins } from "./builtin.js";
import type { AdapterInfo } from "./device.js";
import { hostObject } from "./host.js";
import type { TunedChoice, TunedChoices } from "./variants.js";

/** Where the choices of `tune` are kept: a file in Node and Deno, the Cache in a browser. */
export interface TuningStore {
  /** The path of the file, or the entry of the Cache, to show to people. */
  readonly place: string;
  /** What is kept; nothing where there is none or it cannot be read. */
  read(): Promise<TunedChoices>;
  /** Adds to what is kept. Throws what the runtime throws where it cannot be written. */
  add(choices: TunedChoices): Promise<void>;
}

/** What `tune` found on this adapter. */
export interface Tuning {
  /** The choices now in use. */
  choices(): TunedChoices;
  /**
   * Adds choices for the plans that are prepared from now on, and stores them for later runs of the program. Returns why
   * they could not be stored, if they could not: they are in use all the same.
   */
  keep(choices: TunedChoices): Promise<string | undefined>;
  /** Where they are stored, to show to people; absent when they are not. */
  readonly place?: string;
}

/** What adapters are told apart by. */
type AdapterName = Pick<AdapterInfo, "vendor" | "architecture" | "description">;

/** Reads the choices stored for this adapter. Without `tuned` it begins with none and stores none. */
export async function openTuning(info: AdapterName, tuned: boolean): Promise<Tuning> {
  const store = tuned ? tuningStore(info) : undefined;
  let choices: TunedChoices = (await store?.read()) ?? {};
  return {
    choices: () => choices,
    async keep(more) {
      choices = { ...choices, ...more };
      try {
        await store?.add(more);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
    place: store?.place,
  };
}

const VERSION = 2; // of the format; files of other versions are not read

/**
 * The store for one kind of adapter. Undefined in a runtime that has neither files nor a Cache, and where the program may
 * not look: in a page of a sandbox, in Deno without `--allow-env`.
 */
export function tuningStore({ vendor, architecture, description }: AdapterName): TuningStore | undefined {
  const name = `${vendor} ${architecture} ${description}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const file = `tuning-${VERSION}-${name.slice(0, 80)}.json`;
  try {
    const files = builtinModule("node:fs/promises");
    const process = builtinModule("node:process");
    if (files && process) return fileStore(files, `${cacheFolder(process)}/wgformer`, file);
    const { caches } = globalThis as { caches?: CacheStorage };
    return caches && cacheStore(caches, file);
  } catch {
    return undefined;
  }
}

function cacheFolder({ platform, env }: Builtins["node:process"]): string {
  if (env.WGFORMER_CACHE) return env.WGFORMER_CACHE;
  if (platform === "win32") return env.LOCALAPPDATA ?? env.TEMP ?? ".";
  return env.XDG_CACHE_HOME ?? `${env.HOME ?? "/tmp"}/${platform === "darwin" ? "Library/Caches" : ".cache"}`;
}

function fileStore(files: Builtins["node:fs/promises"], folder: string, file: string): TuningStore {
  const { mkdir, readFile, rename, rm, writeFile } = files;
  const place = `${folder}/${file}`;
  const read = async (): Promise<TunedChoices> => parse(await readFile(place, "utf8").catch(() => "{}"));
  return {
    place,
    read,
    async add(choices) {
      await mkdir(folder, { recursive: true });
      await alone(files, `${place}.lock`, async () => {
        const fresh = `${place}.${Math.random().toString(36).slice(2)}`;
        try {
          await writeFile(fresh, JSON.stringify({ ...(await read()), ...choices }, null, 1));
          await rename(fresh, place); // a reader sees the old file or the new one
        } finally {
          await rm(fresh, { force: true });
        }
      });
    },
  };
}

const WAIT_MS = 5;
const STALE_MS = 5000; // a lock this old is of a process that has died

/** Runs `body` while no other process does: the lock is a file that only one can create. */
async function alone(
  { rm, stat, writeFile }: Builtins["node:fs/promises"],
  lock: string,
  body: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      await writeFile(lock, "", { flag: "wx" });
      break;
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
      const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > STALE_MS) await rm(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, WAIT_MS * (1 + Math.random())));
    }
  }
  try {
    await body();
  } finally {
    await rm(lock, { force: true });
  }
}

function cacheStore(caches: CacheStorage, file: string): TuningStore {
  const url = `https://wgformer.invalid/${file}`;
  const read = async (): Promise<TunedChoices> => {
    try {
      const found = await (await caches.open("wgformer")).match(url);
      return parse((await found?.text()) ?? "{}");
    } catch {
      return {}; // a page that may not store anything
    }
  };
  return {
    place: `Cache "wgformer", ${url}`,
    read,
    async add(choices) {
      const put = async (): Promise<void> => {
        const cache = await caches.open("wgformer");
        await cache.put(url, new Response(JSON.stringify({ ...(await read()), ...choices })));
      };
      const locks = hostObject("navigator")?.locks;
      await (locks ? locks.request(url, put) : put());
    },
  };
}

/** A broken file counts as empty, and so does a broken choice: they can be measured again. */
function parse(text: string): TunedChoices {
  try {
    const value: unknown = JSON.parse(text);
    return Object.fromEntries(
      Object.entries(value ?? {}).filter((entry): entry is [string, TunedChoice] => isChoice(entry[1])),
    );
  } catch {
    return {};
  }
}

function isChoice(value: unknown): boolean {
  const { variant, constants } = (value ?? {}) as Partial<TunedChoice>;
  return typeof variant === "string" && typeof constants === "object" && constants !== null;
}
