import { closedLoop, openLoop, type Served, type Server } from "./drive.js";
import { type Figures, figuresOf, secondsOf } from "./figures.js";
import type { Request } from "./requests.js";

/** How many ask at once; or how many requests arrive in the time in which calls one after the other answer one. */
export type Level = { readonly callers: number } | { readonly times: number };

/** A closed loop of each number of callers, and Poisson arrivals below and above what one call at a time can do. */
export const LEVELS: readonly Level[] = [
  ...[1, 4, 16, 64].map((callers) => ({ callers })),
  ...[0.5, 2, 6].map((times) => ({ times })),
];

/** How a level is called. */
export const levelName = (level: Level): string =>
  "callers" in level ? `${level.callers} at once` : `Poisson, ${level.times}x`;

/** How many requests a level has: as many for every server. */
export const countOf = (level: Level): number => ("callers" in level ? Math.max(12, 2 * level.callers) : 32);

/** The most requests that a server should gather into one batch: those that can be there at once. */
export const batchOf = (level: Level): number => ("callers" in level ? level.callers : Infinity);

const SECONDS = 4; // that each server is measured at least,
const ROUNDS = 10; // if so many do

/**
 * Puts servers under a load, a round of each in turn, so that what else the machine does falls on all. `rate`: how many
 * requests a second calls one after the other answer.
 */
export async function runLevel(
  servers: readonly Server[],
  level: Level,
  requests: readonly Request[],
  rate: number,
): Promise<Figures[]> {
  const rounds = servers.map((): Served[][] => []);
  const short = (i: number): boolean => rounds[i].reduce((sum, one) => sum + secondsOf(one), 0) < SECONDS;
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, server] of servers.entries()) {
      if (!short(i)) continue;
      const running =
        "callers" in level
          ? closedLoop(server, requests, level.callers)
          : openLoop(server, requests, level.times * rate);
      rounds[i].push(await running);
    }
  return rounds.map(figuresOf);
}

export const COLUMNS = `${"serve".padEnd(22)}${"load".padEnd(16)}${"server".padEnd(34)}requests/s  tokens/s      ratio        first token ms             token ms`;

/** A line of the table: percentiles are p50 / p95 / p99; `ratio` compares tokens/s with calls one after the other. */
export function levelLine(model: string, level: Level, name: string, figures: Figures, ratio: number): string {
  const { requests_per_s, tokens_per_s, first_ms, token_ms } = figures;
  const three = ({ p50, p95, p99 }: Figures["first_ms"]): string =>
    [p50, p95, p99].map((ms) => ms.toFixed(ms < 100 ? 1 : 0)).join(" / ");
  return [
    model.padEnd(22),
    levelName(level).padEnd(16),
    name.padEnd(34),
    requests_per_s.toFixed(2).padStart(10),
    tokens_per_s.toFixed(1).padStart(10),
    `${ratio.toFixed(2)}x`.padStart(11),
    three(first_ms).padStart(23),
    three(token_ms).padStart(22),
  ].join("");
}
