import { ancestors, latest, type Report, trace } from "./reports.js";
import type { Generation } from "./options.js";
import type { TextCodec } from "../text/tokenizer.js";

/** Tokens of a result that no later step can change. */
export interface StreamEvent {
  /** Index of the input; with samples, of the result. */
  readonly row: number;
  readonly token_ids: number[];
  /** Their text, when the checkpoint has a tokenizer. */
  readonly text?: string;
}

/** The tokens that every beam still running and every hypothesis still held of sentence b begin with; all, once it is done. */
function settledTokens(reports: readonly Report[], b: number, g: Generation): readonly number[] {
  const { done, finished } = latest(reports, b, g.W);
  if (done) return trace(reports, b, 0, g).ids;
  const running = Array.from({ length: g.W }, (_, w) => ancestors(reports, b, w, g.W).map(({ id }) => id));
  return [...running, ...finished.map((_, rank) => trace(reports, b, rank, g).ids)].reduce(commonPrefix);
}

function commonPrefix(a: readonly number[], b: readonly number[]): readonly number[] {
  const end = a.findIndex((id, t) => b[t] !== id);
  return end < 0 ? a : a.slice(0, end);
}

type Streamer = (reports: readonly Report[], kept?: readonly (number | undefined)[]) => StreamEvent[];

/** Turns the reports of a decoding into events: call it after each step, with the tokens that rows ended by a stop string keep. */
export function createStreamer(rows: number, g: Generation, codec: TextCodec | undefined): Streamer {
  const sent = Array.from({ length: rows }, () => ({ tokens: 0, text: 0 }));
  return (reports, kept) =>
    sent.flatMap((state, row) => {
      const ids = settledTokens(reports, row, g).slice(0, kept?.[row]);
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

/** Ends rows whose text holds a stop string: after each step, which rows are cut and how many generated tokens they keep. */
export function createStopper(
  rows: number,
  g: Generation,
  codec: TextCodec,
): { kept: (number | undefined)[]; onStep(reports: readonly Report[]): boolean } {
  const kept = Array<number | undefined>(rows).fill(undefined);
  return {
    kept,
    onStep(reports) {
      kept.forEach((length, row) => {
        if (length !== undefined) return;
        const ids = settledTokens(reports, row, g);
        const text = codec.decode(ids);
        if (latest(reports, row, g.W).done || g.stop_strings.some((stop) => text.includes(stop)))
          kept[row] = ids.length;
      });
      return kept.some((length) => length === undefined);
    },
  };
}
