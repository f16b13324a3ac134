/** How tokens of a window stand for time. */
export interface WindowTimes {
  /** Where the window begins, in seconds. */
  readonly offset: number;
  /** Its frames that are audio. */
  readonly frames: number;
  /** The id of the timestamp 0.00. */
  readonly firstTimestamp: number;
}

/** A part of a transcript that begins and ends at times that the model said. */
export interface Segment {
  /** In seconds. */
  readonly start: number;
  readonly end: number;
  /** Its tokens, timestamps included. */
  readonly tokens: readonly number[];
  /** The place of its first token in the text of its window. */
  readonly first: number;
  /** The time of each token in seconds, where words are asked for. */
  readonly times?: readonly number[];
}

/** Seconds between two timestamps; frames of a second, and of a timestamp. */
export const TIME_PRECISION = 0.02;
export const FRAMES_A_SECOND = 100;
export const FRAMES_A_TIMESTAMP = 2;

/**
 * Cuts the text of a window at pairs of timestamps, and says how many frames it accounts for: what follows the last pair
 * is left to the next window. Without a pair the whole window is a segment. Source: `_retrieve_segment` of Transformers,
 * generation_whisper.py (after Radford et al. 2022, arXiv:2212.04356, section 3.8).
 */
export function segmentsOf(
  tokens: readonly number[],
  { offset, frames, firstTimestamp }: WindowTimes,
): { readonly segments: readonly Segment[]; readonly advance: number } {
  const isTime = (id: number | undefined): boolean => id !== undefined && id >= firstTimestamp;
  const steps = (id: number): number => id - firstTimestamp;
  const count = tokens.length;
  const endsOnce = count > 1 && isTime(tokens[count - 1]) && !isTime(tokens[count - 2]);
  const cuts = tokens.flatMap((id, t) => (t > 0 && isTime(id) && isTime(tokens[t - 1]) ? [t] : []));
  if (cuts.length === 0) {
    const times = tokens.filter(isTime);
    const last = times.length ? steps(times[times.length - 1]) : 0;
    const end = last > 0 ? last : Math.floor(frames / FRAMES_A_TIMESTAMP);
    const all = { start: offset, end: offset + end * TIME_PRECISION, tokens, first: 0 };
    return { segments: [all], advance: frames };
  }
  // The last cut takes the second timestamp of its pair along, which shows that more follows.
  const ends = endsOnce ? [...cuts, count] : [...cuts.slice(0, -1), cuts[cuts.length - 1] + 1];
  const segments = ends.map((to, i) => {
    const first = ends[i - 1] ?? 0;
    const own = tokens.slice(first, to);
    const last = own[own.length - (i === ends.length - 1 && !endsOnce ? 2 : 1)];
    const at = (id: number): number => offset + steps(id) * TIME_PRECISION;
    return { start: at(own[0]), end: at(last), tokens: own, first };
  });
  const settled = steps(tokens[ends[ends.length - 1] - 2]) * FRAMES_A_TIMESTAMP;
  return { segments, advance: endsOnce || settled === 0 ? frames : settled };
}
