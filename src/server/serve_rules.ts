import { type Rule, wholeNumber } from "../runtime/checks.js";

/** Where a server listens. */
export interface ServeOptions {
  /** The port; 0 means any that is free. Default 8000. */
  readonly port?: number;
  /** The address. Default "127.0.0.1", which this machine alone reaches. */
  readonly host?: string;
  /** Most connections; one more is answered with 503. Default 1024. */
  readonly max_connections?: number;
}

/** The values that they may have. */
export const SERVE_RULES: { readonly [K in keyof Required<ServeOptions>]: Rule } = {
  port: wholeNumber(0, 65_535),
  host: { words: "an address", holds: (value) => typeof value === "string" && value !== "" },
  max_connections: wholeNumber(1),
};
