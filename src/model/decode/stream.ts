import type { TextCodec } from "../text/tokenizer.js";
import type { StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";

/** Tokens of a result that no later step can change. */
export interface StreamEvent {
  /** Index of the input; with samples, of the result. */
  readonly row: number;
  readonly token_ids: number[];
  /** Their text, when the checkpoint has a tokenizer. */
  readonly text?: string;
}

/** A call that tells what happens on its way. */
type Telling<E, T> = (emit: (events: readonly E[]) => void, signal: AbortSignal) => Promise<T>;

/** Runs a call and yields its events as they come; returns its result. A caller who leaves the loop aborts the call. */
export async function* streamed<E, T>(call: Telling<E, T>, signal: AbortSignal | undefined): AsyncGenerator<E, T> {
  const left = new AbortController();
  const events: E[] = [];
  let wake = (): void => {};
  let ended = false;
  const emit = (more: readonly E[]): void => {
    events.push(...more);
    wake();
  };
  const running = call(emit, signal ? AbortSignal.any([signal, left.signal]) : left.signal).finally(() => {
    ended = true;
    wake();
  });
  running.catch(() => {}); // awaited below, unless the caller leaves
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

/** The tokens that every beam still running and every hypothesis still held of sentence b begin with; all, once it is done. */
function stablePrefix(reports: StepReports, b: number): readonly number[] {
  const { done, beams, finished } = reports.latest(b);
  if (done) return reports.hypothesis(b, 0).ids;
  const running = beams.map((_, w) => reports.backtrace(b, w).map(({ id }) => id));
  return [...running, ...finished.map((_, rank) => reports.hypothesis(b, rank).ids)].reduce(commonPrefix);
}

function commonPrefix(a: readonly number[], b: readonly number[]): readonly number[] {
  const end = a.findIndex((id, t) => b[t] !== id);
  return end < 0 ? a : a.slice(0, end);
}

type Streamer = (reports: StepReports, kept?: readonly (number | undefined)[]) => StreamEvent[];

/** Turns the reports of a decoding into events: call it after each step, with the tokens that rows ended by a stop string keep. */
export function createStreamer(rows: number, codec: TextCodec | undefined): Streamer {
  const sent = Array.from({ length: rows }, () => ({ tokens: 0, text: 0 }));
  return (reports, kept) =>
    sent.flatMap((state, row) => {
      const ids = stablePrefix(reports, row).slice(0, kept?.[row]);
      if (ids.length <= state.tokens) return [];
      const token_ids = ids.slice(state.tokens);
      state.tokens = ids.length;
      if (!codec) return [{ row, token_ids }];
      const whole = codec.decode(ids);
      const end = whole.endsWith("\ufffd") ? whole.indexOf("\ufffd", state.text) : whole.length; // half a character waits
      const text = whole.slice(state.text, Math.max(state.text, end));
      state.text = Math.max(state.text, end);
      return [{ row, token_ids, text }];
    });
}

/** Ends rows whose text holds a stop string: after each step, which rows end and how many generated tokens they keep. */
export interface Stopper {
  readonly kept: readonly (number | undefined)[];
  /** Whether any row goes on. */
  onStep(reports: StepReports): boolean;
}

/** A Stopper for the stop strings of a call. */
export function createStopper(rows: number, { stop_strings }: Generation, codec: TextCodec): Stopper {
  const kept = Array<number | undefined>(rows).fill(undefined);
  return {
    kept,
    onStep(reports) {
      kept.forEach((length, row) => {
        if (length !== undefined) return;
        const ids = stablePrefix(reports, row);
        const text = codec.decode(ids);
        if (reports.latest(row).done || stop_strings.some((stop) => text.includes(stop))) kept[row] = ids.length;
      });
      return kept.some((length) => length === undefined);
    },
  };
}
