import { TIME_PRECISION } from "./segments.js";

/** How cross attention f32[heads,T,S] is read. */
export interface Alignment {
  readonly heads: number;
  /** Tokens that were fed. */
  readonly T: number;
  /** The first of them that is aligned: those before it were given. */
  readonly first: number;
  /** How many rows of the encoder are audio. */
  readonly kept: number;
  readonly medianWidth: number;
}

/**
 * The time of each generated token in seconds, by the path through the cross attention along which it is highest: weights
 * are normalised over the tokens, smoothed over time and averaged over the heads. The last token, which is not fed, has
 * the time of the one before it. Source: `_extract_token_timestamps` of Transformers, generation_whisper.py
 * (openai/whisper, timing.py).
 */
export function tokenTimes(weights: Float32Array, { heads, T, first, kept, medianWidth }: Alignment): number[] {
  const S = weights.length / heads / T;
  const rows = T - first;
  if (rows === 0) return [0];
  const columns = Math.max(1, Math.min(S, kept));
  const cost = new Float64Array(rows * columns);
  for (let h = 0; h < heads; h++) {
    const head = normalised(weights.subarray((h * T + first) * S, (h + 1) * T * S), S, columns);
    for (let t = 0; t < rows; t++) {
      const row = medianFilter(head.subarray(t * columns, (t + 1) * columns), medianWidth);
      for (let s = 0; s < columns; s++) cost[t * columns + s] -= row[s] / heads;
    }
  }
  const times: number[] = [];
  for (const [t, s] of warp(cost, rows, columns)) times[t] ??= s * TIME_PRECISION; // where the path reaches the token
  return [...times, times[rows - 1]];
}

/** (weight - mean) / standard deviation over the tokens, at each of the first `columns` rows of the encoder. */
function normalised(weights: Float32Array, S: number, columns: number): Float32Array {
  const T = weights.length / S;
  const scaled = new Float32Array(T * columns);
  for (let s = 0; s < columns; s++) {
    let [sum, squares] = [0, 0];
    for (let t = 0; t < T; t++) sum += weights[t * S + s];
    const mean = sum / T;
    for (let t = 0; t < T; t++) squares += (weights[t * S + s] - mean) ** 2;
    const deviation = Math.sqrt(squares / T) || 1;
    for (let t = 0; t < T; t++) scaled[t * columns + s] = (weights[t * S + s] - mean) / deviation;
  }
  return scaled;
}

/** The median of `width` values around each, mirrored at the ends; rows of half that width stay as they are. */
export function medianFilter(row: Float32Array, width: number): Float32Array {
  const reach = Math.floor(width / 2);
  if (row.length <= reach) return row;
  const last = row.length - 1;
  const mirrored = (at: number): number => (at < 0 ? -at : at > last ? 2 * last - at : at);
  return row.map((_, s) => {
    const around = Float32Array.from({ length: width }, (_, k) => row[mirrored(s - reach + k)]);
    return around.sort()[reach];
  });
}

/** The cheapest path from (0, 0) to (T-1, S-1) by steps of one token, one row of the encoder, or both. */
function warp(cost: Float64Array, T: number, S: number): (readonly [t: number, s: number])[] {
  const width = S + 1;
  const sums = new Float32Array((T + 1) * width).fill(Infinity);
  const steps = new Uint8Array((T + 1) * width); // 0: both, 1: a token, 2: a row
  sums[0] = 0;
  for (let s = 1; s <= S; s++) {
    for (let t = 1; t <= T; t++) {
      const at = t * width + s;
      const [both, token, row] = [sums[at - width - 1], sums[at - width], sums[at - 1]];
      const step = both < token && both < row ? 0 : token < both && token < row ? 1 : 2;
      steps[at] = step;
      sums[at] = cost[(t - 1) * S + s - 1] + [both, token, row][step];
    }
  }
  const path: [number, number][] = [];
  for (let [t, s] = [T, S]; t > 0 && s > 0;) {
    path.push([t - 1, s - 1]);
    const step = steps[t * width + s];
    if (step < 2) t--;
    if (step !== 1) s--;
  }
  return path.reverse();
}
