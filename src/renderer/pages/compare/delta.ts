import type { ComparisonCell, ComparisonRow } from '../../../contract/compare.ts';

/** A value of a row against the baseline's; null where there is nothing to say. */
export function deltaText(
  { contrast }: Pick<ComparisonRow, 'contrast'>,
  { value }: ComparisonCell,
  baseline: ComparisonCell,
): string | null {
  if (contrast === null || typeof value !== 'number' || typeof baseline.value !== 'number') return null;
  return value === baseline.value ? null : contrast(value, baseline.value);
}
