import { useMemo, type ReactElement } from 'react';

import { denseSeries, PerplexityChart, type PerplexityMark } from '../../../charts/perplexity-chart.tsx';
import { measureKey, type Measure } from '../../../contract/measure.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { ChartCard } from '../../components/chart-card.tsx';
import { useLabel, useLocale } from '../../words.tsx';
import type { Compared } from './use-compared.ts';

interface Measured {
  readonly measure: Measure;
  readonly marks: readonly PerplexityMark[];
}

/** A picture for each measure with the runs that were measured by it. */
export function Perplexities({ runs, baseline }: { runs: readonly Compared[]; baseline: string }): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const measured = useMemo(() => byMeasure(runs, baseline, t), [runs, baseline, t]);
  return (
    <>
      {measured.map(({ measure, marks }) => (
        <ChartCard
          key={measureKey(measure)}
          title={t('perplexity.on', { ...measure })}
          fileName={`comparison perplexity ${measure.dataset}`}
          numbers={() => ({
            headings: [t('run.name'), t('report.perplexity')],
            rows: marks.map(({ name, perplexity }) => [name, perplexity]),
          })}
        >
          <PerplexityChart measure={measure} marks={marks} locale={locale} />
        </ChartCard>
      ))}
    </>
  );
}

function byMeasure(runs: readonly Compared[], baseline: string, t: Label): Measured[] {
  const entries = runs.flatMap((run, series) => run.report.perplexity.map((entry) => ({ run, series, entry })));
  const groups = Map.groupBy(entries, ({ entry }) => measureKey(entry));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    // Runs of one model share its dense perplexity.
    const dense = new Map(group.map(({ run, entry }) => [`${run.report.model.name} ${entry.dense}`, { run, entry }]));
    const marks: PerplexityMark[] = [
      ...[...dense].map(([key, { run, entry }]) => ({
        key,
        name: dense.size > 1 ? `${t('field.dense')}: ${run.report.model.name}` : t('field.dense'),
        perplexity: entry.dense,
        series: denseSeries,
        isMain: false,
      })),
      ...group.map(({ run, series, entry }) => ({
        key: run.row.id,
        name: `${run.letter} ${run.row.name}`,
        perplexity: entry.compressed,
        series,
        isMain: run.row.id === baseline,
      })),
    ];
    return [{ measure: first.entry, marks }];
  });
}
