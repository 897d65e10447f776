import type { RunPoint } from '../../../contract/history.ts';
import type { MarkMove } from '../../run/mark-move.ts';

/** Left and right go by size, up and down by the measure. */
export function nextRun(points: readonly RunPoint[], from: string | null, move: MarkMove): string | null {
  const isUpright = move === 'up' || move === 'down';
  const order = points.toSorted((a, b) => (isUpright ? b.value - a.value : a.nonZeroBytes - b.nonZeroBytes));
  const at = order.findIndex(({ id }) => id === from);
  const steps = { first: -Infinity, last: Infinity, left: -1, right: 1, up: -1, down: 1 };
  const to = at < 0 ? 0 : Math.max(0, Math.min(order.length - 1, at + steps[move]));
  return order[to]?.id ?? null;
}
