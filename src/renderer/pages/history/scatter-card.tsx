import { Loader, Select, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMemo, useState, type ReactElement } from 'react';

import { ParetoChart } from '../../../charts/pareto-chart.tsx';
import { bytes, percent } from '../../../contract/format.ts';
import type { PointQuery, RunPoint } from '../../../contract/history.ts';
import { measuredKey, sampleWords } from '../../../contract/measured.ts';
import { measures, writeValue, type MeasureId } from '../../../contract/measures.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { ChartCard } from '../../components/chart-card.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { useAsk } from '../../ask/queries.ts';
import { Marks } from '../../run/marks.tsx';
import { useLabel, useLocale } from '../../words.tsx';
import { nextRun } from './run-order.ts';

interface ScatterCardProps {
  readonly filter: Omit<PointQuery, 'measure'>;
  readonly measure: MeasureId;
  readonly selected: ReadonlySet<string>;
  readonly onToggle: (id: string) => void;
}

/** Size against a measure of the runs that match, on one sample at a time; a click selects the run's row. */
export function ScatterCard({ filter, measure, selected, onToggle }: ScatterCardProps): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  // Drawing up to 2,000 runs gives way to typing.
  const [settled] = useDebouncedValue(filter, 250);
  const { data, error } = useAsk('runs.points', { ...settled, measure }, { keepPrevious: true });
  const samples = useMemo(() => bySample(data ?? [], measure), [data, measure]);
  const [chosen, setChosen] = useState<string | null>(null);
  const key = chosen !== null && samples.has(chosen) ? chosen : ([...samples.keys()][0] ?? null);
  const points = useMemo(() => (key === null ? [] : (samples.get(key) ?? [])), [samples, key]);
  const [first] = points;
  const name = t(`measure.${measure}.in-text`);
  const title = t('scatter.title', { measure: name });
  const controls = (
    <Select
      aria-label={t('scatter.measure')}
      value={key}
      onChange={setChosen}
      data={[...samples].map(([value, runs]) => ({ value, label: sampleName(runs, t) }))}
      placeholder={t('scatter.no-measure')}
      disabled={samples.size === 0}
      w={240}
      allowDeselect={false}
    />
  );
  return (
    <ChartCard
      title={title}
      fileName={title}
      note={t(`scatter.note-${measures[measure].better}`)}
      controls={controls}
      numbers={() => ({
        headings: [t('run.name'), t('field.model'), t('run.size-packed'), t('field.sparsity'), t(`measure.${measure}`)],
        rows: points.map((run) => [run.name, run.modelName, run.nonZeroBytes, run.sparsity, run.value]),
      })}
    >
      {error && <FailureView failure={error} />}
      {!data && !error && <Loader size="sm" />}
      {data && !first && (
        <Text size="sm" c="dimmed">
          {t('scatter.none')}
        </Text>
      )}
      {first && (
        <Marks
          label={title}
          hint={t('scatter.hint', { measure: name })}
          attribute="data-run"
          next={(from, move) => nextRun(points, from, move)}
          describe={(id) => describe(points, id, measure, t)}
          onOpen={onToggle}
        >
          <ParetoChart measure={measure} sample={first} points={points} selected={selected} locale={locale} />
        </Marks>
      )}
    </ChartCard>
  );
}

/** Runs that compare, those on the most common sample first. */
function bySample(points: readonly RunPoint[], measure: MeasureId): ReadonlyMap<string, readonly RunPoint[]> {
  const groups = Map.groupBy(points, (point) => measuredKey({ measure, ...point }));
  return new Map([...groups].sort(([, a], [, b]) => b.length - a.length));
}

function sampleName(runs: readonly RunPoint[], t: Label): string {
  const [first] = runs;
  return first ? t('scatter.measure-of', { measure: sampleWords(first, t), runs: runs.length }) : '';
}

function describe(points: readonly RunPoint[], id: string, measure: MeasureId, t: Label): string[] | null {
  const run = points.find((one) => one.id === id);
  if (!run) return null;
  return [
    run.name,
    run.modelName,
    t('chart.mark.measure', { measure: t(`measure.${measure}.in-text`), value: writeValue(measure, run.value) }),
    t('chart.mark.size', { value: bytes(run.nonZeroBytes) }),
    t('chart.mark.sparsity', { value: percent(run.sparsity, 2) }),
  ];
}
