import { builtinModule, type Builtins } from "./builtin.js";
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

/**
 * The store for one kind of adapter. Undefined in a runtime that has neither files nor a Cache, and where the program may
 * not look: in a page of a sandbox, in Deno without `--allow-env`.
 */
export function tuningStore({ vendor, architecture, description }: AdapterInfo): TuningStore | undefined {
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
  const { mkdir, readFile, rename, writeFile } = files;
  const place = `${folder}/${file}`;
  return {
    place,
    async read() {
      return parse(await readFile(place, "utf8").catch(() => "{}"));
    },
    async write(choices) {
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
      const open = caches.open("wgformer").then((cache) => cache.match(url));
      return parse((await open.then((found) => found?.text()).catch(() => undefined)) ?? "{}");
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
