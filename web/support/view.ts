import type { Gpu, Tasks } from "../../src/index.js";

/** A tab of the page. */
export interface ViewEntry {
  /** Its name in links: `#id?word=...`. */
  readonly id: string;
  readonly title: string;
  /** Fetches the module of the view. */
  open(): Promise<View>;
}

/** What the module of a view exports. */
export interface View {
  /**
   * Builds the view in an empty panel, which gets the events `leave` when its tab is left, and `enter` when it is opened
   * again: a view that is left stops what runs, and frees what it has on the device. It must neither compile nor load anything: that is for its buttons. Called again, in an
   * emptied panel, when the user follows a link to the view.
   */
  mount(root: HTMLElement, context: Context): void;
}

/** What the page gives to a view. */
export interface Context {
  /** The parameters of the link by which the view was opened. */
  readonly params: URLSearchParams;
  /** Aborted when the view is replaced by another mount. */
  readonly signal: AbortSignal;
  /** Writes what the user has chosen into the address, so that it can be shared. */
  link(params: Readonly<Record<string, string | number | boolean | undefined>>): void;
  /** The device of all views: opened once, and anew when it was lost. */
  gpu(): Promise<Gpu>;
  /** A bundled model as a task, on the device of all views: loaded once, shared, and never disposed by a view. */
  task<N extends BundledTask>(name: N, model: BundledModel): Promise<Tasks[N]>;
  /** Tells the user in a line at the foot of the page, aloud in screen readers. */
  say(text: string): void;
}

/** The models that lie beside the page. */
export type BundledModel = "g2p-en" | "bert-pos" | "gpt2-brown";

/** What the bundled models are for. */
export type BundledTask = "text2text" | "text-generation" | "token-classification" | "feature-extraction";
