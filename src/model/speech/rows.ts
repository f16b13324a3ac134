import type { DecoderCore } from "../core.js";
import type { SignalInput, Source } from "../inputs.js";
import type { Decoded, WindowResult } from "./decoding.js";
import { encodeWindows } from "./passes.js";
import type { Prefix } from "./prefix.js";
import { FRAMES_A_SECOND, type Segment, segmentsOf } from "./segments.js";
import type { WhisperConfig } from "./whisper_config.js";

/** Log-mel features of a recording. */
export interface Spectrum {
  /** Frames to transcribe. */
  readonly frames: number;
  /** How many of them are audio rather than padding. */
  readonly spoken: number;
  /** The window of the encoder that begins at this frame, padded with zeros. */
  window(first: number): SignalInput;
}

/** What a window was decoded to, best first. */
export interface WindowResults {
  /** In seconds. */
  readonly start: number;
  readonly end: number;
  readonly results: readonly WindowResult[];
}

/** A recording, and how far it is transcribed. */
export interface Row {
  /** Its place among the recordings. */
  readonly index: number;
  readonly spectrum: Spectrum;
  readonly segments: Segment[];
  readonly windows: WindowResults[];
  prefix: Prefix;
  /** The frame at which the next window begins, and its states. */
  seek: number;
  source?: Source;
  /** Whether the next window sees the text so far. */
  conditions: boolean;
  /** Searches so far. */
  runs: number;
}

/** A recording of which nothing is transcribed yet. */
export const openRow = (spectrum: Spectrum, index: number, conditions: boolean): Row => ({
  index,
  spectrum,
  segments: [],
  windows: [],
  prefix: { ids: [] },
  seek: 0,
  conditions,
  runs: 0,
});

/** The states of the next window of a row, which `encodeRows` has made. */
export const sourceOf = ({ source }: Row): Source => source as Source;

/** Encodes the next windows of rows, unless they are encoded. */
export async function encodeRows(
  core: DecoderCore,
  rows: readonly Row[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const fresh = rows.filter(({ source }) => !source);
  const sources = await encodeWindows(
    core,
    fresh.map(({ spectrum, seek }) => spectrum.window(seek)),
    signal,
  );
  fresh.forEach((row, i) => (row.source = sources[i]));
}

/** Adds what was found in its window to a row, and moves it on. Returns the new segments. */
export function takeWindow(
  row: Row,
  { results, verdict, runs }: Decoded,
  times: readonly number[] | undefined,
  { end, firstTimestamp, window }: WhisperConfig,
): readonly Segment[] {
  const offset = row.seek / FRAMES_A_SECOND;
  const frames = Math.min(window, row.spectrum.frames - row.seek);
  const bare = results.map(({ tokens, ...rest }) => ({ ...rest, tokens: tokens.filter((id) => id !== end) }));
  const [{ tokens }] = bare;
  const { segments, advance } =
    verdict === "skip" ? { segments: [], advance: frames } : segmentsOf(tokens, { offset, frames, firstTimestamp });
  const timed = segments.map((segment) => {
    const own = times?.slice(segment.first, segment.first + segment.tokens.length);
    return { ...segment, ...(own && { times: own.map((time) => offset + time) }) };
  });
  row.segments.push(...timed);
  row.windows.push({ start: offset, end: offset + frames / FRAMES_A_SECOND, results: bare });
  row.runs += runs;
  row.seek += advance;
  row.source = undefined;
  return timed;
}
