/** Tokens from `first` to `last`, and the probability that an answer starts and ends with them. */
export interface Span {
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

/**
 * The best spans of at most `most` tokens by the logits f32[T,2] of starts and ends, best first. Only tokens for which
 * `isOwn` holds, and the first, take part in the softmax; `none` is the score of the first alone, that there is no answer
 * (Devlin et al. 2019, section 4.3; select_starts_ends of Transformers).
 */
export function bestSpans(
  logits: Float32Array,
  isOwn: (t: number) => boolean,
  count: number,
  most: number,
): { readonly spans: readonly Span[]; readonly none: number } {
  const own = Array.from({ length: logits.length / 2 }, (_, t) => t).filter((t) => t === 0 || isOwn(t));
  const [starts, ends] = [0, 1].map((side) => {
    const values = own.map((t) => logits[2 * t + side]);
    const top = values.reduce((a, c) => Math.max(a, c));
    const weights = values.map((value) => Math.exp(value - top));
    const total = weights.reduce((a, c) => a + c);
    return new Map(own.map((t, i) => [t, weights[i] / total]));
  });
  const scoreOf = (first: number, last: number): number => (starts.get(first) ?? 0) * (ends.get(last) ?? 0);
  const spans: Span[] = [];
  for (const first of own.filter(isOwn))
    for (let last = first; last < first + most && isOwn(last); last++)
      spans.push({ first, last, score: scoreOf(first, last) });
  spans.sort((a, b) => b.score - a.score);
  return { spans: spans.slice(0, count), none: scoreOf(0, 0) };
}
