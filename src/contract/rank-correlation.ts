/**
 * Spearman's rank correlation of two values of the same things, -1 to 1: the correlation of their ranks, equal values sharing the
 * mean of theirs. null where one of the two is the same of all, or there are fewer than two.
 */
export function rankCorrelation(pairs: readonly (readonly [number, number])[]): number | null {
  const ranks = [ranksOf(pairs.map(([a]) => a)), ranksOf(pairs.map(([, b]) => b))] as const;
  const mean = (pairs.length - 1) / 2;
  let [together, first, second] = [0, 0, 0];
  for (const [i, rank] of ranks[0].entries()) {
    const [a, b] = [rank - mean, (ranks[1][i] ?? NaN) - mean];
    together += a * b;
    first += a * a;
    second += b * b;
  }
  return first > 0 && second > 0 ? together / Math.sqrt(first * second) : null;
}

/** From 0 for the smallest. */
function ranksOf(values: readonly number[]): number[] {
  const order = [...values].sort((a, b) => a - b);
  const middle = new Map<number, number>();
  for (const [rank, value] of order.entries())
    if (order[rank - 1] !== value) middle.set(value, (rank + order.lastIndexOf(value)) / 2);
  return values.map((value) => middle.get(value) ?? NaN);
}
