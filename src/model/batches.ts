/** Sequences of similar length together: indices, longest first, in batches of at most `budget` tokens (a longer one alone). */
export function batchesOf(lengths: readonly number[], budget: number): number[][] {
  const order = lengths.map((_, index) => index).sort((x, y) => lengths[y] - lengths[x] || x - y);
  const batches: number[][] = [];
  let tokens = Infinity;
  for (const index of order) {
    if (tokens + lengths[index] > budget) {
      batches.push([]);
      tokens = 0;
    }
    batches[batches.length - 1].push(index);
    tokens += lengths[index];
  }
  return batches;
}
