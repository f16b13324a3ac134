import type { Options, OptionTable } from "./arguments.js";
import type { Terminal } from "./terminal.js";

/** What a verb is called with. */
export interface Call {
  /** The first word after the verb; empty for a verb without MODEL in its usage. */
  readonly model: string;
  /** The words after that. */
  readonly texts: readonly string[];
  /** The options that are given. */
  readonly options: Options;
  readonly terminal: Terminal;
}

/** Options by the title that they stand under in help. */
export type Sections = Readonly<Record<string, OptionTable>>;

/** A verb of the command line. */
export interface Verb {
  /** What follows the verb, such as `MODEL [TEXT ...]`. */
  readonly usage: string;
  /** The fewest and the most words that follow it, besides options. */
  readonly words: readonly [least: number, most: number];
  /** What it does, in one line. */
  readonly summary: string;
  /** What `wgformer VERB --help` says after that. */
  readonly details?: string;
  /** Command lines without `wgformer VERB`. */
  readonly examples?: readonly string[];
  /** Its options, by the title that they stand under in its help. */
  readonly sections: Sections;
  /** The options of tasks, in sections as well, where it runs one of several. */
  readonly tasks?: Readonly<Record<string, Sections>>;
  /**
   * Runs it, and resolves to its exit code, 0 if that is undefined. Throws OptionError for options that do not fit
   * together, before it loads anything.
   */
  run(call: Call): Promise<number | void>;
}
