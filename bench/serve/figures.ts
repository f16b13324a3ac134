import { type Spread, spread } from "../support/time.js";
import type { Served } from "./drive.js";

/** Milliseconds that so many percent of the cases keep to. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** What a server made of requests. */
export interface Figures {
  readonly requests_per_s: number;
  /** Generated tokens. */
  readonly tokens_per_s: number;
  /** From the arrival of a request to its first token. */
  readonly first_ms: Percentiles;
  /** From each token of a request to its next. */
  readonly token_ms: Percentiles;
  /** Of whole requests. */
  readonly us: Spread;
}

function percentiles(samples: readonly number[]): Percentiles {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** Adds up what callers saw, from the first arrival to the last end. */
export function figuresOf(served: readonly Served[]): Figures {
  const begun = Math.min(...served.map(({ arrived }) => arrived));
  const seconds = (Math.max(...served.map(({ ended }) => ended)) - begun) / 1e3;
  const count = served.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return {
    requests_per_s: served.length / seconds,
    tokens_per_s: count / seconds,
    first_ms: percentiles(served.map(({ arrived, tokens }) => tokens[0] - arrived)),
    token_ms: percentiles(served.flatMap(({ tokens }) => tokens.slice(1).map((time, i) => time - tokens[i]))),
    us: spread(served.map(({ arrived, ended }) => 1e3 * (ended - arrived))),
  };
}
