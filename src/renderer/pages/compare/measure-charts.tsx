import { useMemo, type ReactElement } from 'react';

import { denseSeries, MeasureChart, type MeasureMark } from '../../../charts/measure-chart.tsx';
import { measuredKey, sampleWords, type Measured } from '../../../contract/measured.ts';
import { mainMeasures } from '../../../contract/measures.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { ChartCard } from '../../components/chart-card.tsx';
import { useLabel, useLocale } from '../../words.tsx';
import type { Compared } from './use-compared.ts';

interface Group {
  readonly of: Measured;
  readonly marks: readonly MeasureMark[];
}

/** A picture for each measure on each sample, with the runs that were measured by it there. */
export function MeasureCharts({ runs, baseline }: { runs: readonly Compared[]; baseline: string }): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const groups = useMemo(() => groupsOf(runs, baseline, t), [runs, baseline, t]);
  return (
    <>
      {groups.map(({ of: { measure, ...sample }, marks }) => (
        <ChartCard
          key={measuredKey({ measure, ...sample })}
          title={t('measure.on', { measure: t(`measure.${measure}`), sample: sampleWords(sample, t) })}
          fileName={`comparison ${measure} ${sample.dataset}`}
          numbers={() => ({
            headings: [t('run.name'), t(`measure.${measure}`)],
            rows: marks.map(({ name, value }) => [name, value]),
          })}
        >
          <MeasureChart measure={measure} sample={sample} marks={marks} locale={locale} />
        </ChartCard>
      ))}
    </>
  );
}

function groupsOf(runs: readonly Compared[], baseline: string, t: Label): Group[] {
  const entries = runs.flatMap((run, series) =>
    run.report.measured
      .filter(({ measure }) => mainMeasures.includes(measure))
      .map((entry) => ({ run, series, entry })),
  );
  const groups = Map.groupBy(entries, ({ entry }) => measuredKey(entry));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    // Runs of one model share what its dense model came to.
    const dense = new Map(
      group.map(({ run, entry }) => [`${run.report.model.name} ${entry.dense.value}`, { run, entry }]),
    );
    const marks: MeasureMark[] = [
      ...[...dense].map(([key, { run, entry }]) => ({
        key,
        name: dense.size > 1 ? `${t('field.dense')}: ${run.report.model.name}` : t('field.dense'),
        value: entry.dense.value,
        series: denseSeries,
        isMain: false,
      })),
      ...group.map(({ run, series, entry }) => ({
        key: run.row.id,
        name: `${run.letter} ${run.row.name}`,
        value: entry.compressed.value,
        series,
        isMain: run.row.id === baseline,
      })),
    ];
    return [{ of: first.entry, marks }];
  });
}
