import { Select } from '@mantine/core';
import { useMemo, useState, type ReactElement } from 'react';

import { columnsOf } from '../../../charts/data.ts';
import { SparsityChart } from '../../../charts/sparsity-chart.tsx';
import { ChartCard } from '../../components/chart-card.tsx';
import { LayerMarks } from '../../run/layer-marks.tsx';
import { useLabel, useLocale } from '../../words.tsx';
import type { Compared } from './use-compared.ts';

/** The runs' sparsities by layer, laid over each other; of all layers or of those of one type. */
export function SparsityCurves(props: { runs: readonly Compared[]; onOpen: (layer: string) => void }): ReactElement {
  const { runs, onOpen } = props;
  const t = useLabel();
  const locale = useLocale();
  const [type, setType] = useState<string | null>(null);
  const types = useMemo(() => columnsOf(runs.flatMap(({ report }) => report.layers)), [runs]);
  const curves = useMemo(
    () =>
      runs.map(({ letter, row, report }) => ({
        name: `${letter} ${row.name}`,
        layers: report.layers.filter((layer) => type === null || layer.type === type),
      })),
    [runs, type],
  );
  const order = curves[0]?.layers ?? [];
  const controls = (
    <Select
      aria-label={t('compare.layer-type')}
      value={type}
      onChange={setType}
      data={types.map((column) => ({ value: column.type, label: column.heading }))}
      placeholder={t('compare.all-types')}
      clearable
      w={180}
    />
  );
  const names = [...new Set(curves.flatMap(({ layers }) => layers.map(({ name }) => name)))];
  const known = curves.map(({ layers }) => new Map(layers.map(({ name, sparsity }) => [name, sparsity])));
  const isPartial = names.length > order.length;
  return (
    <ChartCard
      title={t('report.sparsity')}
      fileName="comparison sparsity"
      controls={controls}
      {...(isPartial && { note: t('compare.other-layers', { letter: runs[0]?.letter ?? '' }) })}
      numbers={() => ({
        headings: [t('layer.name'), ...curves.map(({ name }) => name)],
        rows: names.map((name) => [name, ...known.map((run) => run.get(name) ?? null)]),
      })}
    >
      <LayerMarks layers={order} label={t('report.sparsity')} onOpen={onOpen}>
        <SparsityChart runs={curves} target={null} locale={locale} />
      </LayerMarks>
    </ChartCard>
  );
}
