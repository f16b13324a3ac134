import type { SourceLike } from "../../../src/index.js";

/** A file and its path in what was dropped or picked. */
export interface Found {
  readonly path: string;
  readonly file: File;
}

/** The files of what was dropped: folders with all that is in them. Reads the entries before anything else can end them. */
export async function droppedFiles({ items }: DataTransfer): Promise<Found[]> {
  const all = Array.from(items, (item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const lists = await Promise.all(
    all.map(async ({ entry, file }) => (entry ? filesUnder(entry) : file ? [{ path: file.name, file }] : [])),
  );
  return lists.flat();
}

/** The files of a file chooser, of a folder or of several files. */
export const pickedFiles = (files: FileList | null): Found[] =>
  Array.from(files ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file }));

async function filesUnder(entry: FileSystemEntry): Promise<Found[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((...settle) => (entry as FileSystemFileEntry).file(...settle));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  let more: FileSystemEntry[];
  do {
    more = await new Promise<FileSystemEntry[]>((...settle) => reader.readEntries(...settle)); // up to 100 at a time
    found.push(...more);
  } while (more.length > 0);
  return (await Promise.all(found.map(filesUnder))).flat();
}

/** Files as the source of a checkpoint, whose root is where the topmost config.json is; its name is that of the folder. */
export function folderSource(files: readonly Found[]): { readonly name: string; readonly source: SourceLike } {
  const depth = ({ path }: Found): number => path.split("/").length;
  const configs = files.filter(({ path }) => /(^|\/)config\.json$/.test(path)).sort((a, b) => depth(a) - depth(b));
  if (configs.length === 0)
    throw new Error(
      `A checkpoint needs config.json, model.safetensors and tokenizer.json; there is no config.json among these ${files.length} files.`,
    );
  const root = configs[0].path.slice(0, -"config.json".length);
  const byName = new Map(files.map(({ path, file }) => [path, file]));
  return {
    name: root.split("/").at(-2) ?? `${files.length} files`,
    source: (name) => byName.get(root + name),
  };
}
