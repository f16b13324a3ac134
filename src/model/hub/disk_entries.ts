import { builtinModule } from "../../runtime/builtin.js";
import type { Files } from "./disk.js";
import type { CachedRevision, CacheEntry } from "./entries.js";

const FOLDER = /^models--(.+)$/;

/** A file of a repository's folder. */
interface Found {
  /** Its path in the folder. */
  readonly path: string;
  /** The path of the blob that a link points to, in the folder. */
  readonly blob: string | undefined;
  readonly bytes: number;
  readonly used: number;
}

const fileSystem = (): Files => builtinModule("node:fs/promises") as Files;

/** The models in a folder that has the layout of Python's cache. */
export async function diskEntries(cacheDir: string): Promise<CacheEntry[]> {
  const names = await fileSystem()
    .readdir(cacheDir)
    .catch((error: Error & { code?: string }) => {
      if (error.code !== "ENOENT") throw error;
      return [];
    });
  const entries = names.filter((name) => FOLDER.test(name)).sort();
  return Promise.all(
    entries.map(async (name) => {
      const place = `${cacheDir.replace(/[\\/]+$/, "")}/${name}`;
      const found = await walk(place);
      const used = Math.max(...found.filter(({ path }) => path.startsWith("blobs/")).map((file) => file.used));
      return {
        id: (FOLDER.exec(name)?.[1] ?? "").replaceAll("--", "/"),
        place,
        bytes: found.reduce((sum, { blob, bytes }) => sum + (blob === undefined ? bytes : 0), 0),
        revisions: await revisionsOf(place, found),
        lastUsed: Number.isFinite(used) ? new Date(used) : undefined,
      };
    }),
  );
}

/** The files below a folder. Links whose target is gone count as absent. */
async function walk(place: string): Promise<Found[]> {
  const { lstat, readdir, readlink, stat } = fileSystem();
  const names = (await readdir(place, { recursive: true })).sort();
  const look = async (name: string): Promise<Found | undefined> => {
    const path = name.replaceAll("\\", "/");
    try {
      const isLink = (await lstat(`${place}/${path}`)).isSymbolicLink();
      const blob = isLink ? await readlink(`${place}/${path}`) : undefined;
      const entry = await stat(`${place}/${path}`);
      const isShared = path.startsWith("blobs/"); // Python may link a blob to one that repositories share
      return entry.isDirectory()
        ? undefined
        : {
            path,
            blob: isShared ? undefined : blob && `blobs/${blob.split(/[\\/]/).at(-1)}`,
            bytes: entry.size,
            used: entry.atimeMs,
          };
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return undefined; // removed meanwhile
      throw error;
    }
  };
  return (await Promise.all(names.map(look))).filter((file) => file !== undefined);
}

async function revisionsOf(place: string, found: readonly Found[]): Promise<CachedRevision[]> {
  const refs = await refsOf(place, found);
  const commits = new Map<string, Found[]>();
  for (const file of found) {
    const [kind, commit] = file.path.split("/");
    if (kind === "snapshots") commits.set(commit, [...(commits.get(commit) ?? []), file]);
  }
  return [...commits].map(([commit, files]) => ({
    commit,
    refs: [...refs].filter(([, its]) => its === commit).map(([ref]) => ref),
    files: files.map(({ path }) => path.split("/").slice(2).join("/")).sort(),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  }));
}

async function refsOf(place: string, found: readonly Found[]): Promise<Map<string, string>> {
  const paths = found.map(({ path }) => path).filter((path) => path.startsWith("refs/"));
  const read = async (path: string) =>
    [path.slice(5), (await fileSystem().readFile(`${place}/${path}`, "utf8")).trim()] as const;
  return new Map(await Promise.all(paths.map(read)));
}

/** Removes a model, or one commit of it with the blobs that no other commit has. */
export async function removeOnDisk({ place }: CacheEntry, commit: string | undefined): Promise<void> {
  const { rm } = fileSystem();
  const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true });
  if (commit === undefined) {
    const [cacheDir, name] = place.split(/\/(?=[^/]*$)/);
    await Promise.all([remove(place), remove(`${cacheDir}/.locks/${name}`)]);
    return;
  }
  const found = await walk(place);
  const snapshot = `snapshots/${commit}/`;
  const isIn = ({ path }: Found): boolean => path.startsWith(snapshot);
  const kept = new Set(found.filter((file) => !isIn(file)).map(({ blob }) => blob));
  const blobs = found.filter(isIn).flatMap(({ blob }) => (blob !== undefined && !kept.has(blob) ? [blob] : []));
  const refs = [...(await refsOf(place, found))].filter(([, its]) => its === commit).map(([ref]) => `refs/${ref}`);
  const all = [...refs, snapshot, `.no_exist/${commit}`, ...blobs];
  for (const path of all) await remove(`${place}/${path}`);
}
