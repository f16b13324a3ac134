import { CheckpointError } from "../../runtime/errors.js";
import { type Entry, readHeader } from "./safetensors.js";
import { openSource, type CheckpointSource, type SourceFile, type SourceLike } from "./source.js";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** Progress of loading, as transformers.js reports it. */
export interface ProgressEvent {
  /** A file begins, goes on or is done; or the model is ready. */
  readonly status: "initiate" | "progress" | "done" | "ready";
  /** The label of the checkpoint. */
  readonly name: string;
  readonly file?: string;
  /** Bytes of `file` read so far, and its size. */
  readonly loaded?: number;
  readonly total?: number;
}

/** How a caller follows and stops loading. */
export interface LoadHooks {
  readonly signal?: AbortSignal;
  readonly progress?: (event: ProgressEvent) => void;
}

/** An open checkpoint: its headers have been read and checked, but no tensor yet. */
export interface Checkpoint {
  /** Where it comes from, as messages show it. */
  readonly label: string;
  /** config.json. */
  readonly config: Json;
  /** generation_config.json; undefined when there is none. */
  readonly generationConfig: Json | undefined;
  /** All tensors by name. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Another file of the folder that holds a JSON object; undefined when there is none. */
  json(name: string): Promise<Json | undefined>;
  /** Another file of the folder that holds a JSON list of objects; undefined when there is none. */
  list(name: string): Promise<readonly Json[] | undefined>;
  /** Reads tensors in the order of the files, many small ones at a time, and calls `visit` with the bytes of each. */
  read(
    entries: Iterable<Entry>,
    visit: (entry: Entry, bytes: Uint8Array<ArrayBuffer>) => void,
    hooks?: LoadHooks,
  ): Promise<void>;
}

/** An open checkpoint, or where to open one. */
export type CheckpointLike = SourceLike | Checkpoint;

const isOpen = (input: CheckpointLike): input is Checkpoint =>
  (input as Checkpoint | undefined)?.entries instanceof Map;

const CHUNK = 64 * 2 ** 20; // bytes of one read, if a tensor is no larger

/**
 * Reads `config.json`, `generation_config.json`, and the headers of `model.safetensors` or of the shards that
 * `model.safetensors.index.json` names. Returns a checkpoint that is already open as it is. Throws CheckpointError
 * naming the file and the cure.
 */
export async function openCheckpoint(input: CheckpointLike, { signal }: LoadHooks = {}): Promise<Checkpoint> {
  if (isOpen(input)) return input;
  const source = openSource(input);
  const config = await readJson(source, "config.json", signal);
  if (!config)
    throw new CheckpointError(
      `${source.label}: must be a checkpoint folder with config.json, model.safetensors and tokenizer.json; found no config.json`,
    );
  const files = new Map<string, SourceFile>();
  const entries = new Map<string, Entry>();
  for (const name of await weightFiles(source, signal)) {
    const file = await source.open(name, signal);
    if (!file)
      throw new CheckpointError(`${source.label}: must hold ${name}, found none; fetch every shard of the checkpoint`);
    files.set(name, file);
    for (const entry of await readHeader(name, file, signal)) {
      const twin = entries.get(entry.name);
      if (twin)
        throw new CheckpointError(
          `${source.label}: ${entry.name} must be in one shard, is in ${twin.file} and ${name}`,
        );
      entries.set(entry.name, entry);
    }
  }
  return {
    label: source.label,
    config,
    generationConfig: await readJson(source, "generation_config.json", signal),
    entries,
    json: (name) => readJson(source, name, signal),
    list: (name) => readList(source, name, signal),
    async read(wanted, visit, hooks = {}) {
      const all = [...wanted];
      for (const [name, file] of files) {
        const sorted = all.filter((entry) => entry.file === name).sort((a, b) => a.start - b.start);
        await readFile(source.label, name, file, sorted, visit, hooks);
      }
    },
  };
}

/** The checkpoint with its tensors renamed. Throws CheckpointError when two of them get the same name. */
export function renamed(checkpoint: Checkpoint, rename: (name: string) => string): Checkpoint {
  const entries = new Map<string, Entry>();
  for (const [name, entry] of checkpoint.entries) {
    const twin = entries.get(rename(name));
    if (twin)
      throw new CheckpointError(
        `${checkpoint.label}: must hold one tensor that is ${rename(name)} here, got ${twin.name} and ${name}`,
      );
    entries.set(rename(name), entry);
  }
  return { ...checkpoint, entries };
}

async function readFile(
  label: string,
  name: string,
  file: SourceFile,
  sorted: readonly Entry[],
  visit: (entry: Entry, bytes: Uint8Array<ArrayBuffer>) => void,
  { signal, progress }: LoadHooks,
): Promise<void> {
  progress?.({ status: "initiate", name: label, file: name, loaded: 0, total: file.size });
  for (let first = 0; first < sorted.length;) {
    let last = first + 1;
    while (last < sorted.length && sorted[last].end - sorted[first].start <= CHUNK) last++;
    const { start } = sorted[first];
    const end = sorted[last - 1].end;
    signal?.throwIfAborted();
    const bytes = await file.read(start, end, signal);
    if (bytes.length !== end - start)
      throw new CheckpointError(
        `${name}: bytes ${start} to ${end} must be readable, got ${bytes.length} of them; fetch the file again`,
      );
    signal?.throwIfAborted();
    for (const entry of sorted.slice(first, last)) visit(entry, bytes.subarray(entry.start - start, entry.end - start));
    progress?.({ status: "progress", name: label, file: name, loaded: end, total: file.size });
    first = last;
  }
  progress?.({ status: "done", name: label, file: name, loaded: file.size, total: file.size });
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

async function readJson(source: CheckpointSource, name: string, signal?: AbortSignal): Promise<Json | undefined> {
  const value = await parseFile(source, name, signal);
  if (value === undefined || isObject(value)) return value;
  throw new CheckpointError(`${source.label}/${name}: must be a JSON object`);
}

async function readList(
  source: CheckpointSource,
  name: string,
  signal?: AbortSignal,
): Promise<readonly Json[] | undefined> {
  const value = await parseFile(source, name, signal);
  if (value === undefined || (Array.isArray(value) && value.every(isObject))) return value;
  throw new CheckpointError(`${source.label}/${name}: must be a JSON list of objects`);
}

async function parseFile(source: CheckpointSource, name: string, signal?: AbortSignal): Promise<unknown> {
  const file = await source.open(name, signal);
  if (!file) return undefined;
  const text = new TextDecoder().decode(await file.read(0, file.size, signal));
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`${source.label}/${name}: must be JSON, ${(cause as Error).message}`, { cause });
  }
}

async function weightFiles(source: CheckpointSource, signal?: AbortSignal): Promise<string[]> {
  const index = await readJson(source, "model.safetensors.index.json", signal);
  if (!index) return ["model.safetensors"];
  const map = index.weight_map;
  if (
    typeof map !== "object" ||
    map === null ||
    !Object.values(map).every((name) => typeof name === "string" && /^[\w.-]+$/.test(name))
  ) {
    throw new CheckpointError(
      `${source.label}/model.safetensors.index.json: weight_map must give a file name for each tensor`,
    );
  }
  return [...new Set(Object.values(map) as string[])].sort();
}
