import type { AdapterInfo } from "./device.js";
import type { TunedChoices } from "./variants.js";

/** Where the choices of `tune` are kept: a file in Node and Deno, the Cache in a browser. */
export interface TuningStore {
  /** The path of the file, or the entry of the Cache, to show to people. */
  readonly place: string;
  /** What is kept; nothing where there is none or it cannot be read. */
  read(): Promise<TunedChoices>;
  /** Replaces what is kept. */
  write(choices: TunedChoices): Promise<void>;
}

/** What `tune` found on this adapter. */
export interface Tuning {
  /** The choices now in use. */
  choices(): TunedChoices;
  /** Adds choices for the plans that are prepared from now on, and stores them for later runs of the program. */
  keep(choices: TunedChoices): Promise<void>;
  /** Where they are stored, to show to people; absent when they are not. */
  readonly place?: string;
}

/** Reads the choices stored for this adapter. Without `tuned` it begins with none and stores none. */
export async function openTuning(info: AdapterInfo, tuned: boolean): Promise<Tuning> {
  const store = tuned ? tuningStore(info) : undefined;
  let choices: TunedChoices = (await store?.read()) ?? {};
  return {
    choices: () => choices,
    async keep(more) {
      choices = { ...choices, ...more };
      await store?.write(choices);
    },
    place: store?.place,
  };
}

const VERSION = 2; // of the format; files of other versions are not read

interface Global {
  readonly caches?: CacheStorage;
  readonly process?: { readonly platform: string; readonly env: Readonly<Record<string, string | undefined>> };
}

/** The store for one kind of adapter; undefined in a runtime that has neither files nor a Cache. */
export function tuningStore({ vendor, architecture, description }: AdapterInfo): TuningStore | undefined {
  const { process, caches } = globalThis as Global;
  const name = `${vendor} ${architecture} ${description}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const file = `tuning-${VERSION}-${name.slice(0, 80)}.json`;
  if (process?.env) return fileStore(`${cacheFolder(process)}/wgformer`, file);
  return caches && cacheStore(caches, file);
}

function cacheFolder({ platform, env }: NonNullable<Global["process"]>): string {
  if (env.WGFORMER_CACHE) return env.WGFORMER_CACHE;
  if (platform === "win32") return env.LOCALAPPDATA ?? env.TEMP ?? ".";
  return env.XDG_CACHE_HOME ?? `${env.HOME ?? "/tmp"}/${platform === "darwin" ? "Library/Caches" : ".cache"}`;
}

function fileStore(folder: string, file: string): TuningStore {
  const place = `${folder}/${file}`;
  return {
    place,
    async read() {
      const { readFile } = await import("node:fs/promises");
      return parse(await readFile(place, "utf8").catch(() => "{}"));
    },
    async write(choices) {
      const { mkdir, rename, writeFile } = await import("node:fs/promises");
      await mkdir(folder, { recursive: true });
      await writeFile(`${place}.new`, JSON.stringify(choices, null, 1)); // a reader sees the old file or the new one
      await rename(`${place}.new`, place);
    },
  };
}

function cacheStore(caches: CacheStorage, file: string): TuningStore {
  const url = `https://wgformer.invalid/${file}`;
  return {
    place: `Cache "wgformer", ${url}`,
    async read() {
      const found = await (await caches.open("wgformer")).match(url);
      return parse((await found?.text()) ?? "{}");
    },
    async write(choices) {
      await (await caches.open("wgformer")).put(url, new Response(JSON.stringify(choices)));
    },
  };
}

/** A broken file counts as empty: choices can be measured again. */
function parse(text: string): TunedChoices {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as TunedChoices) : {};
  } catch {
    return {};
  }
}
