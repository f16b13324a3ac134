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

/** Seconds from the first arrival to the last end. */
export const secondsOf = (served: readonly Served[]): number =>
  (Math.max(...served.map(({ ended }) => ended)) - Math.min(...served.map(({ arrived }) => arrived))) / 1e3;

/** Adds up what callers saw in several rounds. */
export function figuresOf(rounds: readonly (readonly Served[])[]): Figures {
  const served = rounds.flat();
  const seconds = rounds.reduce((sum, round) => sum + secondsOf(round), 0);
  const count = served.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return {
    requests_per_s: served.length / seconds,
    tokens_per_s: count / seconds,
    first_ms: percentiles(served.map(({ arrived, tokens }) => tokens[0] - arrived)),
    token_ms: percentiles(served.flatMap(({ tokens }) => tokens.slice(1).map((time, i) => time - tokens[i]))),
    us: spread(served.map(({ arrived, ended }) => 1e3 * (ended - arrived))),
  };
}
