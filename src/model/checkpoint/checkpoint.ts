import { CheckpointError, show } from "../../runtime/errors.js";
import type { HubOptions } from "../hub/settings.js";
import { isInside, type LabelledFile, needJson, readJson, readList, readText } from "./files.js";
import { createProgress, type Progress, type ProgressEvent } from "./progress.js";
import { type Entry, readHeader } from "./safetensors.js";
import { type CheckpointSource, openSource, type SourceLike } from "./source.js";
import { openWeights } from "./weight_files.js";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** How a caller follows and stops loading. */
export interface LoadHooks {
  /** Ends reads, waits and conversions. There is no time limit but this one, for example `AbortSignal.timeout(ms)`. */
  readonly signal?: AbortSignal;
  readonly progress?: (event: ProgressEvent) => void;
}

/** How to open a checkpoint. */
export interface OpenOptions extends HubOptions, Pick<LoadHooks, "signal"> {}

/** The files of a checkpoint besides its weights. Names are those of files inside its folder; others throw CheckpointError. */
export interface Folder {
  /** Where it comes from, as messages show it. */
  readonly label: string;
  /** A file that holds a JSON object; undefined when there is none. */
  json(name: string): Promise<Json | undefined>;
  /** A file that holds a JSON list of objects; undefined when there is none. */
  list(name: string): Promise<readonly Json[] | undefined>;
  /** A file that holds a text; undefined when there is none. */
  text(name: string): Promise<string | undefined>;
}

/** An open checkpoint: its headers have been read and checked, but no tensor yet. */
export interface Checkpoint extends Folder {
  /** config.json. */
  readonly config: Json;
  /** generation_config.json; undefined when there is none. */
  readonly generationConfig: Json | undefined;
  /** All tensors by name. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Whether `read` gives the same again; if not, a model keeps a copy of its weights on the host. */
  readonly rereadable?: boolean;
  /**
   * Brings files of weights that lie on the Hub into the cache, where there is one. Opening a checkpoint reads only their
   * headers, and `read` does this first.
   */
  fetch(hooks?: LoadHooks): Promise<void>;
  /**
   * Reads tensors in the order of the files, many small ones at a time and large ones by blocks of rows, and waits for
   * `visit` with the bytes of each from row `row` on. Blocks begin at multiples of 8 rows.
   */
  read(entries: Iterable<Entry>, visit: Visit, hooks?: LoadHooks): Promise<void>;
  /** The bytes of a tensor from `start` to `end`, `end` excluded. */
  readBytes(entry: Entry, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** What lies in a folder inside of it, as a checkpoint of its own. Throws as `openCheckpoint` does. */
  folder(name: string): Promise<Checkpoint>;
}

/** Takes the bytes of a tensor from row `row` on. */
export type Visit = (entry: Entry, bytes: Uint8Array<ArrayBuffer>, row: number) => void | Promise<void>;

/** An open checkpoint, or where to open one. */
export type CheckpointLike = SourceLike | Checkpoint;

const isOpen = (input: CheckpointLike): input is Checkpoint =>
  (input as Checkpoint | undefined)?.entries instanceof Map;

const CHUNK = 8 * 2 ** 20; // bytes of one read, if 8 rows are no larger
const BLOCK_ROWS = 8; // of which blocks are multiples

/**
 * Reads `config.json`, `generation_config.json`, and the headers of `model.safetensors` or else of the shards that
 * `model.safetensors.index.json` names. Returns a checkpoint that is already open as it is. Throws CheckpointError
 * naming the file and the cure.
 */
export async function openCheckpoint(input: CheckpointLike, options: OpenOptions = {}): Promise<Checkpoint> {
  if (isOpen(input)) return input;
  const { signal } = options;
  const source = openSource(input, options);
  const [reading, opening] = [readJson(source, "generation_config.json", signal), openWeights(source, signal)];
  for (const early of [reading, opening]) early.catch(() => {}); // the fault of config.json is told first
  const config = await needJson(source, "config.json", signal);
  if (!config)
    throw new CheckpointError(
      `${source.label}: must be a checkpoint folder with config.json, model.safetensors and tokenizer.json; found no config.json`,
    );
  const files = await opening;
  const entries = new Map<string, Entry>();
  for (const [name, file] of files) {
    for (const entry of await readHeader(name, file, signal)) {
      const twin = entries.get(entry.name);
      if (twin)
        throw new CheckpointError(
          `${source.label}: ${entry.name.slice(0, 200)} must be in one shard, is in ${twin.file} and ${name}`,
        );
      entries.set(entry.name, entry);
    }
  }
  return {
    ...folderOf(source, signal),
    config,
    generationConfig: await reading,
    entries,
    rereadable: source.rereadable,
    fetch: (hooks = {}) => fetchFiles(files, follow(source.label, files, hooks), hooks.signal),
    async read(wanted, visit, hooks = {}) {
      const all = [...wanted];
      const needed = new Map([...files].filter(([name]) => all.some((entry) => entry.file === name)));
      const progress = follow(source.label, needed, hooks);
      await fetchFiles(needed, progress, hooks.signal);
      for (const [name, file] of needed) {
        const sorted = all.filter((entry) => entry.file === name).sort((a, b) => a.start - b.start);
        await readFile(name, file, sorted, visit, progress, hooks.signal);
      }
    },
    readBytes: ({ file, start: base }, start, end, readSignal) =>
      (files.get(file) as LabelledFile).read(base + start, base + end, readSignal),
    folder: (name) => openCheckpoint(insideOf(source, name), { signal }),
  };
}

/** The files of a folder inside of a source. Throws CheckpointError for a name that leaves it. */
function insideOf({ label, rereadable, open }: CheckpointSource, name: string): CheckpointSource {
  if (!isInside(name)) throw new CheckpointError(`${label}: must name folders inside of it, got ${show(name)}`);
  return { label: `${label}/${name}`, rereadable, open: (file, signal) => open(`${name}/${file}`, signal) };
}

/** The files of a source, or of a checkpoint that is open, without reading any. Throws CheckpointError for what is neither. */
export const openFolder = (input: CheckpointLike, options: OpenOptions = {}): Folder =>
  isOpen(input) ? input : folderOf(openSource(input, options), options.signal);

const folderOf = (source: CheckpointSource, signal: AbortSignal | undefined): Folder => ({
  label: source.label,
  json: (name) => readJson(source, name, signal),
  list: (name) => readList(source, name, signal),
  text: (name) => readText(source, name), // read when a text needs it: the signal of loading may be spent by then
});

/** The checkpoint with its tensors renamed. Throws CheckpointError when two of them get the same name. */
export function renamed(checkpoint: Checkpoint, rename: (name: string) => string): Checkpoint {
  const entries = new Map<string, Entry>();
  for (const [name, entry] of checkpoint.entries) {
    const twin = entries.get(rename(name));
    if (twin)
      throw new CheckpointError(
        `${checkpoint.label}: must hold one tensor that is ${rename(name).slice(0, 200)} here, got ${twin.name.slice(0, 200)} and ${name.slice(0, 200)}`,
      );
    entries.set(rename(name), entry);
  }
  return { ...checkpoint, entries };
}

const follow = (label: string, files: ReadonlyMap<string, LabelledFile>, { progress }: LoadHooks): Progress =>
  createProgress(label, new Map([...files].map(([name, { size }]) => [name, size])), progress);

/** Brings files into a cache, one after the other: the pieces of each come side by side. */
async function fetchFiles(
  files: ReadonlyMap<string, LabelledFile>,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [name, file] of files) {
    if (!file.fetch) continue;
    progress.begin(name);
    await file.fetch(signal, (bytes) => progress.reach(name, bytes));
  }
}

/** Reads tensors of a file, sorted by their place: neighbours together, or one by blocks of rows. */
async function readFile(
  name: string,
  file: LabelledFile,
  sorted: readonly Entry[],
  visit: Visit,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  progress.begin(name);
  for (let first = 0; first < sorted.length;) {
    let last = first + 1;
    while (last < sorted.length && sorted[last].end - sorted[first].start <= CHUNK) last++;
    const { start, end, shape } = sorted[first];
    const rowBytes = (end - start) / (shape[0] ?? 1);
    const block = last > first + 1 ? Infinity : BLOCK_ROWS * Math.max(1, Math.floor(CHUNK / BLOCK_ROWS / rowBytes));
    const whole = sorted[last - 1].end;
    for (let [at, row] = [start, 0]; at < whole || row === 0; row += block) {
      const next = Math.min(whole, at + block * rowBytes || whole);
      signal?.throwIfAborted();
      const from = at;
      const bytes = await file.read(from, next, signal, (arrived) => progress.reach(name, from + arrived));
      signal?.throwIfAborted();
      for (const entry of sorted.slice(first, last))
        await visit(entry, bytes.subarray(Math.max(0, entry.start - at), entry.end - at), row);
      progress.reach(name, next);
      at = next;
    }
    first = last;
  }
  progress.done(name);
}
