/** What a run costs, in two quantities of which less is better. */
export interface Costs {
  readonly nonZeroBytes: number;
  readonly perplexity: number;
}

/**
 * The points that no other point betters: none is as small in both quantities and smaller in one. By size, ascending;
 * points equal in both stand beside each other. O(n log n).
 */
export function paretoFront<P extends Costs>(points: readonly P[]): P[] {
  const sorted = points.toSorted((a, b) => a.nonZeroBytes - b.nonZeroBytes || a.perplexity - b.perplexity);
  const front: P[] = [];
  for (const point of sorted) {
    const last = front.at(-1);
    const equal = last?.nonZeroBytes === point.nonZeroBytes && last.perplexity === point.perplexity;
    if (last === undefined || equal || point.perplexity < last.perplexity) front.push(point);
  }
  return front;
}
