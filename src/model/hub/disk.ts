import { builtinModule, type Builtins, variable } from "../../runtime/builtin.js";
import { CheckpointError } from "../../runtime/errors.js";
import { openPath } from "../checkpoint/folder.js";
import type { SourceFile } from "../checkpoint/source.js";
import type { Download, HubCache } from "./cache.js";
import { openPart, type Part } from "./part.js";
import { isTrue } from "./settings.js";

export type Files = Builtins["node:fs/promises"];

/** The folder of a repository in a cache. */
const repoFolder = (cacheDir: string, repo: string): string =>
  `${cacheDir.replace(/[\\/]+$/, "")}/models--${repo.replaceAll("/", "--")}`;

/**
 * The cache of Python's huggingface_hub: `blobs` by the ETag of their content, `snapshots` of links to them by commit and
 * name, `refs` with the commit of each branch and tag, `.no_exist` with the names of files that a commit does not have.
 * Whole files and links take their names in one step, so that other processes see all or nothing.
 */
export function diskCache(cacheDir: string, repo: string): HubCache {
  const files = builtinModule("node:fs/promises") as Files;
  const root = repoFolder(cacheDir, repo);
  const guarded = guard(cacheDir);
  const snapshot = (commit: string, name: string): string => `${root}/snapshots/${commit}/${name}`;
  const absent = (commit: string, name: string): string => `${root}/.no_exist/${commit}/${name}`;
  const ref = (revision: string): string => `${root}/refs/${revision}`;
  const commitOf = async (revision: string): Promise<string | undefined> =>
    (await files.readFile(ref(revision), "utf8").catch(() => undefined))?.trim();
  return {
    place: cacheDir,
    commitOf,
    async remember(revision, commit) {
      if ((await commitOf(revision)) === commit) return;
      await guarded(async () => {
        const fresh = `${ref(revision)}.${token()}.tmp`;
        await writeAt(files, fresh, commit);
        await files.rename(fresh, ref(revision));
      });
    },
    async find(commit, name) {
      const file = await openPath(snapshot(commit, name));
      return file ?? ((await openPath(absent(commit, name))) && null);
    },
    async markAbsent(commit, name) {
      await writeAt(files, absent(commit, name), "").catch(() => {}); // it only saves a request
    },
    begin: ({ commit, name, etag, size }, signal, arrived) =>
      guarded(async () => {
        if (!etag || !/^[\w-][\w.-]*$/.test(etag))
          throw new CheckpointError(`${repo}: the Hub must state an ETag of ${name} that can be the name of a file`);
        await files.mkdir(`${root}/blobs`, { recursive: true });
        const blob = `${root}/blobs/${etag}`;
        const part = await openPart(files, blob, size, signal, arrived);
        return keepAs(files, guarded, part, blob, snapshot(commit, name));
      }),
  };
}

type Guard = <T>(act: () => Promise<T>) => Promise<T>;

/** Says where writing failed, and the cure. */
const guard =
  (place: string): Guard =>
  async (act) => {
    try {
      return await act();
    } catch (cause) {
      const { code, name } = cause as { code?: string; name?: string };
      const isRefused = name === "NotCapable"; // by Deno
      if (cause instanceof CheckpointError || !(code || isRefused)) throw cause;
      throw new CheckpointError(
        `${place}: must be a folder to keep models in, ${(cause as Error).message}; set cache_dir or HF_HUB_CACHE to another, or pass cache_dir: false to keep nothing`,
        { cause },
      );
    }
  };

/** A download into a part, which becomes the blob; `pointer` is its name in the snapshot. */
function keepAs(files: Files, guarded: Guard, part: Part, blob: string, pointer: string): Download {
  return {
    held: part.held,
    append: (bytes) => guarded(() => part.append(bytes)),
    leave: () => part.leave(),
    finish: () =>
      guarded(async () => {
        const isNew = await part.become(blob);
        await link(files, blob, pointer, isNew);
        return (await openPath(pointer)) as SourceFile;
      }),
  };
}

/** Gives a blob its name in a snapshot: a link, or where there can be none the file itself, as Python does. */
async function link(files: Files, blob: string, pointer: string, isNew: boolean): Promise<void> {
  const folder = pointer.slice(0, pointer.lastIndexOf("/"));
  const [root, name] = blob.split(/\/blobs\/(?=[^/]*$)/);
  const up = folder.slice(root.length + 1).split("/");
  const fresh = `${pointer}.${token()}.tmp`;
  await files.mkdir(folder, { recursive: true });
  try {
    if (isTrue(variable("HF_HUB_DISABLE_SYMLINKS"))) throw new Error("links are switched off");
    await files.symlink(`${"../".repeat(up.length)}blobs/${name}`, fresh);
  } catch {
    if (isNew) await files.rename(blob, fresh);
    else await files.copyFile(blob, fresh);
  }
  await files.rename(fresh, pointer);
}

async function writeAt(files: Files, path: string, text: string): Promise<void> {
  await files.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await files.writeFile(path, text);
}

const token = (): string => Math.random().toString(16).slice(2, 10);
