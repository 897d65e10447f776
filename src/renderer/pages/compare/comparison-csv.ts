import type { ComparisonRow } from '../../../contract/compare.ts';
import type { LayerResult } from '../../../contract/report.ts';
import type { ChartNumbers } from '../../components/chart-card.tsx';
import type { Compared } from './use-compared.ts';

const fields = [
  'targetSparsity',
  'sparsity',
  'bits',
  'estimate',
  'sensitivity',
  'group',
  'error',
] as const satisfies (keyof LayerResult)[];

/** All of the comparison as one table: a row a fact, or a field of a layer; a column a run. */
export function comparisonCsv(
  runs: readonly Pick<Compared, 'row' | 'report'>[],
  facts: readonly ComparisonRow[],
): ChartNumbers {
  const layers = runs.map(({ report }) => new Map(report.layers.map((layer) => [layer.name, layer])));
  const names = [...new Set(layers.flatMap((known) => [...known.keys()]))];
  return {
    headings: ['fact', 'layer', ...runs.map(({ row }) => row.name)],
    rows: [
      ...facts.map(({ key, cells }) => [key, null, ...cells.map(({ value }) => value)]),
      ...names.flatMap((name) =>
        fields.map((field) => [field, name, ...layers.map((known) => known.get(name)?.[field] ?? null)]),
      ),
    ],
  };
}
