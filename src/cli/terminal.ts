/** A stream that results or talk are written to. */
export interface Output {
  write(text: string, done?: (error?: Error | null) => void): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Whether it shows colours, by its kind and the environment (NO_COLOR). */
  hasColors?(): boolean;
}

/** Where a command reads and writes: the streams of the process, or those of a test. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Results alone. */
  readonly stdout: Output;
  /** What is said about them: progress, faults, statistics. */
  readonly stderr: Output;
  /** Ends the command, as Ctrl-C does. */
  readonly signal: AbortSignal;
  /** Says how many milliseconds the command needs to end after that; the process waits no longer than it must. */
  patience?(milliseconds: number): void;
}

/** Writes to a stream, and waits until it takes more. */
export const write = (output: Output, text: string): Promise<void> =>
  new Promise((resolve, reject) => void output.write(text, (error) => (error ? reject(error) : resolve())));

/** Writes a line of results. */
export const print = ({ stdout }: Terminal, line: string): Promise<void> => write(stdout, `${line}\n`);

/** Writes a line about results. */
export const tell = ({ stderr }: Terminal, line: string): Promise<void> => write(stderr, `${line}\n`);

/** A text that is shown faintly where there are colours. */
export const faint = (output: Output, text: string): string =>
  output.isTTY && output.hasColors?.() && text ? `\x1b[2m${text}\x1b[22m` : text;
