import { createDetokenizer, createStopFinder } from "../text/detokenizer.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { type Job, tokensOf } from "./job.js";
import type { TokenLogprob } from "./candidates.js";
import { type Link, linksOf, type StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";

/** Tokens of a result that no later step can change. */
export interface StreamEvent {
  /** Index of the result in `sequences`: of the input, where each has one result. */
  readonly row: number;
  /** Tokens that no later step can change. */
  readonly token_ids: number[];
  /** With `output_scores` or `top_logprobs`: their log-probabilities, after all rules on scores. */
  readonly logprobs?: number[];
  /** With `top_logprobs`: the best tokens in the place of each. */
  readonly top_logprobs?: (readonly TokenLogprob[])[];
  /** Their text, if the checkpoint has a tokenizer. */
  readonly text?: string;
}

/** A call that emits events while it runs. */
type EmittingCall<E, T> = (emit: (events: readonly E[]) => void, signal: AbortSignal) => Promise<T>;

/** Runs a call, yields its events as they come, and returns its result. Leaving the loop early aborts the call. */
export async function* streamed<E, T>(call: EmittingCall<E, T>, signal: AbortSignal | undefined): AsyncGenerator<E, T> {
  const left = new AbortController();
  const events: E[] = [];
  let wake = (): void => {};
  let ended = false;
  const emit = (more: readonly E[]): void => {
    for (const event of more) events.push(event); // too many, perhaps, for the arguments of a call
    wake();
  };
  const running = call(emit, signal ? AbortSignal.any([signal, left.signal]) : left.signal).finally(() => {
    ended = true;
    wake();
  });
  running.catch(() => {}); // it is awaited below, unless the caller leaves the loop
  try {
    while (!ended || events.length) {
      if (events.length) yield events.shift() as E;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    return await running;
  } finally {
    left.abort();
  }
}

/**
 * The tokens with which all running beams and all hypotheses of sentence b begin, and with them its best result; once it
 * is done, those of the result of this rank, if it found that many.
 */
function stablePrefix(reports: StepReports, b: number, rank = 0): readonly Link[] {
  const last = reports.latest(b);
  if (!last) return [];
  const { done, beams, finished } = last;
  if (done) return finished.length > rank ? linksOf(reports.hypothesis(b, rank)) : [];
  if (rank > 0) return []; // there may be no such result
  const running: (readonly Link[])[] = beams.map((_, w) => reports.backtrace(b, w));
  return [...running, ...finished.map((_, rank) => linksOf(reports.hypothesis(b, rank)))].reduce(commonPrefix);
}

function commonPrefix(a: readonly Link[], b: readonly Link[]): readonly Link[] {
  const end = a.findIndex(({ id }, t) => b[t]?.id !== id);
  return end < 0 ? a : a.slice(0, end);
}

type Streamer = (reports: StepReports, kept?: readonly (number | undefined)[]) => StreamEvent[];

/** The prompt of each row: every prompt has n samples. */
const promptsOf = (job: Job, n: number): readonly (readonly number[])[] =>
  tokensOf(job).flatMap((prompt) => Array.from({ length: n }, () => prompt));

/**
 * Turns reports into events. Call it after each step; `kept` limits the tokens of rows that a stop string has ended.
 */
export function createStreamer(
  job: Job,
  { n, beams, returned, output_scores, top_logprobs }: Generation,
  tokenizer: Tokenizer | undefined,
): Streamer {
  const ranks = beams > 1 ? returned : 1;
  const rows = promptsOf(job, n * ranks).map((prompt) => ({
    sent: 0,
    detokenize: tokenizer && createDetokenizer(tokenizer, prompt),
  }));
  return (reports, kept) =>
    rows.flatMap((state, row) => {
      const [sentence, rank] = [Math.floor(row / ranks), row % ranks];
      const links = stablePrefix(reports, sentence, rank).slice(0, kept?.[row]);
      const ids = links.map(({ id }) => id);
      const fresh = links.slice(state.sent);
      const token_ids = ids.slice(state.sent);
      state.sent = Math.max(state.sent, ids.length);
      const scores = {
        ...((output_scores || top_logprobs) && { logprobs: fresh.map(({ logProb }) => logProb) }),
        ...(top_logprobs && { top_logprobs: fresh.map(({ top = [] }) => top) }),
      };
      const text = state.detokenize?.(ids, reports.latest(sentence)?.done === true || kept?.[row] !== undefined);
      return token_ids.length || text ? [{ row, token_ids, ...scores, ...(text !== undefined && { text }) }] : [];
    });
}

/** Ends rows whose text contains a stop string. */
export interface Stopper {
  /** How many generated tokens each row that has ended keeps; undefined for rows that go on. */
  readonly kept: readonly (number | undefined)[];
  /** Which rows a stop string has ended. */
  readonly found: readonly boolean[];
  /** Looks for stop strings after a step. Returns whether any row goes on. */
  onStep(reports: StepReports): boolean;
}

/** Looks for the stop strings of a call. */
export function createStopper(job: Job, { n, stop_strings }: Generation, tokenizer: Tokenizer): Stopper {
  const finders = promptsOf(job, n).map((prompt) => createStopFinder(tokenizer, prompt, stop_strings));
  const kept = Array<number | undefined>(finders.length).fill(undefined);
  const found = Array<boolean>(finders.length).fill(false);
  return {
    kept,
    found,
    onStep(reports) {
      kept.forEach((length, row) => {
        if (length !== undefined) return;
        const ids = stablePrefix(reports, row).map(({ id }) => id);
        const ended = (reports.latest(row)?.finished.length ?? 0) > 0; // a row without an allowed token is left to throw
        const end = finders[row](ids);
        found[row] = end !== undefined;
        kept[row] = end ?? (ended ? ids.length : undefined);
      });
      return kept.some((length) => length === undefined);
    },
  };
}
