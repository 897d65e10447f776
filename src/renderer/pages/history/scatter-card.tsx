import { Loader, Select, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMemo, useState, type ReactElement } from 'react';

import { ParetoChart } from '../../../charts/pareto-chart.tsx';
import { bytes, percent, perplexity } from '../../../contract/format.ts';
import type { RunPoint, RunQuery } from '../../../contract/history.ts';
import { measureKey } from '../../../contract/measure.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { ChartCard } from '../../components/chart-card.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { useAsk } from '../../ask/queries.ts';
import { Marks } from '../../run/marks.tsx';
import { useLabel, useLocale } from '../../words.tsx';
import { nextRun } from './run-order.ts';

interface ScatterCardProps {
  readonly filter: Pick<RunQuery, 'search' | 'states' | 'model' | 'bits'>;
  readonly selected: ReadonlySet<string>;
  readonly onToggle: (id: string) => void;
}

/** Size against perplexity of the runs that match, by one measure at a time; a click selects the run's row. */
export function ScatterCard({ filter, selected, onToggle }: ScatterCardProps): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  // Drawing up to 2,000 runs gives way to typing.
  const [settled] = useDebouncedValue(filter, 250);
  const { data, error } = useAsk('runs.points', settled, { keepPrevious: true });
  const measures = useMemo(() => byMeasure(data ?? []), [data]);
  const [chosen, setChosen] = useState<string | null>(null);
  const key = chosen !== null && measures.has(chosen) ? chosen : ([...measures.keys()][0] ?? null);
  const points = useMemo(() => (key === null ? [] : (measures.get(key) ?? [])), [measures, key]);
  const [first] = points;
  const controls = (
    <Select
      aria-label={t('scatter.measure')}
      value={key}
      onChange={setChosen}
      data={[...measures].map(([value, runs]) => ({ value, label: measureName(runs, t) }))}
      placeholder={t('scatter.no-measure')}
      disabled={measures.size === 0}
      w={240}
      allowDeselect={false}
    />
  );
  return (
    <ChartCard
      title={t('scatter.title')}
      fileName={t('scatter.title')}
      note={t('scatter.note')}
      controls={controls}
      numbers={() => ({
        headings: [t('run.name'), t('field.model'), t('run.size-packed'), t('field.sparsity'), t('report.perplexity')],
        rows: points.map((run) => [run.name, run.modelName, run.nonZeroBytes, run.sparsity, run.perplexity]),
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
          label={t('scatter.title')}
          hint={t('scatter.hint')}
          attribute="data-run"
          next={(from, move) => nextRun(points, from, move)}
          describe={(id) => describe(points, id, t)}
          onOpen={onToggle}
        >
          <ParetoChart measure={first} points={points} selected={selected} locale={locale} />
        </Marks>
      )}
    </ChartCard>
  );
}

/** Runs that compare, those of the most common measure first. */
function byMeasure(points: readonly RunPoint[]): ReadonlyMap<string, readonly RunPoint[]> {
  const groups = Map.groupBy(points, measureKey);
  return new Map([...groups].sort(([, a], [, b]) => b.length - a.length));
}

function measureName(runs: readonly RunPoint[], t: Label): string {
  const [first] = runs;
  return first ? t('scatter.measure-of', { measure: t('chart.measure', { ...first }), runs: runs.length }) : '';
}

function describe(points: readonly RunPoint[], id: string, t: Label): string[] | null {
  const run = points.find((one) => one.id === id);
  if (!run) return null;
  return [
    run.name,
    run.modelName,
    t('chart.mark.perplexity', { value: perplexity(run.perplexity) }),
    t('chart.mark.size', { value: bytes(run.nonZeroBytes) }),
    t('chart.mark.sparsity', { value: percent(run.sparsity, 2) }),
  ];
}
