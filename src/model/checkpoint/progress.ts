/** How far a file is: bytes that have come, and its size. */
export interface Loaded {
  /** Bytes that have come. */
  readonly loaded: number;
  /** Its size. */
  readonly total: number;
}

/** Progress of loading, as transformers.js reports it. */
export interface ProgressEvent {
  /**
   * A file of weights begins, goes on or is done; all of them together; kernels are compiled, which the first calls do;
   * or the model is ready.
   */
  readonly status: "initiate" | "progress" | "done" | "progress_total" | "compile" | "ready";
  /** The label of the checkpoint. */
  readonly name: string;
  /** The file that begins, goes on or is done. */
  readonly file?: string;
  /** Bytes of `file` that have come so far, and its size; of all files at "progress_total"; kernels at "compile". */
  readonly loaded?: number;
  /** What `loaded` becomes in the end. */
  readonly total?: number;
  /** At "progress_total": each of the files. */
  readonly files?: Readonly<Record<string, Loaded>>;
}

/** Tells how far the files of a checkpoint are. Bytes count once: as they come from a server, or are read. */
export interface Progress {
  begin(file: string): void;
  /** So many bytes of a file have come. Events are some time apart, but for the last. */
  reach(file: string, loaded: number): void;
  done(file: string): void;
}

const APART = 100; // ms between events of one download

/** Progress of files with these sizes, told to `progress`. */
export function createProgress(
  name: string,
  sizes: ReadonlyMap<string, number>,
  progress: ((event: ProgressEvent) => void) | undefined,
): Progress {
  const files = Object.fromEntries([...sizes].map(([file, total]) => [file, { loaded: 0, total }]));
  const begun = new Set<string>();
  let last = 0;
  const sum = (key: keyof Loaded): number => Object.values(files).reduce((all, file) => all + file[key], 0);
  const tell = (status: ProgressEvent["status"], file: string): void =>
    progress?.({ status, name, file, ...files[file] });
  return {
    begin(file) {
      if (!begun.has(file)) tell("initiate", file);
      begun.add(file);
    },
    reach(file, loaded) {
      const { loaded: before, total } = files[file];
      if (!progress || loaded <= before || (loaded < total && performance.now() - last < APART)) return;
      files[file] = { loaded, total };
      tell("progress", file);
      progress({ status: "progress_total", name, loaded: sum("loaded"), total: sum("total"), files: { ...files } });
      last = performance.now();
    },
    done(file) {
      this.reach(file, files[file].total);
      tell("done", file);
    },
  };
}
