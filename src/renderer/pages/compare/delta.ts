import { fixed, percent } from '../../../contract/format.ts';
import type { ComparisonCell } from '../../../contract/compare.ts';
import type { Label } from '../../../contract/messages/labels.ts';

/** How a row of the comparison is set against the baseline: shares by difference, amounts by ratio, the rest not at all. */
type Kind = 'points' | 'ratio' | 'none';

function kindOf(key: string): Kind {
  if (key.startsWith('sparsity-')) return 'points';
  if (key.startsWith('perplexity-') || ['time', 'memory', 'size', 'size-packed', 'bits-weight'].includes(key))
    return 'ratio';
  return 'none';
}

/** A value against the baseline's; null where there is nothing to say. Ratios: the value divided by the baseline's. */
export function deltaText(key: string, { value }: ComparisonCell, baseline: ComparisonCell, t: Label): string | null {
  const kind = kindOf(key);
  if (kind === 'none' || typeof value !== 'number' || typeof baseline.value !== 'number') return null;
  if (value === baseline.value) return null;
  if (kind === 'points') {
    const points = percent(value - baseline.value, 2);
    return Number(points) === 0
      ? null
      : t('compare.points', { points: points.startsWith('−') ? points : `+${points}` });
  }
  return baseline.value > 0 ? t('compare.ratio', { ratio: fixed(value / baseline.value, 3) }) : null;
}
