import { measures, type MeasureId } from '../contract/measures.ts';

/** What a run costs and what it came to by a measure. */
export interface Outcome {
  readonly nonZeroBytes: number;
  readonly value: number;
}

/**
 * The points that no other point betters: none is as small and as good by the measure and better in one. By size, ascending;
 * points equal in both stand beside each other. O(n log n).
 */
export function paretoFront<P extends Outcome>(points: readonly P[], measure: MeasureId): P[] {
  const sign = measures[measure].better === 'lower' ? 1 : -1;
  const sorted = points.toSorted((a, b) => a.nonZeroBytes - b.nonZeroBytes || sign * (a.value - b.value));
  const front: P[] = [];
  for (const point of sorted) {
    const last = front.at(-1);
    const equal = last?.nonZeroBytes === point.nonZeroBytes && last.value === point.value;
    if (last === undefined || equal || sign * (point.value - last.value) < 0) front.push(point);
  }
  return front;
}
