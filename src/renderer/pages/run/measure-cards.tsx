import { Text } from '@mantine/core';
import { useQueries } from '@tanstack/react-query';
import { Fragment, memo, type ReactElement } from 'react';

import { denseSeries, MeasureChart, type MeasureMark } from '../../../charts/measure-chart.tsx';
import type { Output } from '../../../contract/bridge.ts';
import { percent } from '../../../contract/format.ts';
import { newestRuns, type RunQuery, type RunRow } from '../../../contract/history.ts';
import { measuredKey, sampleWords, type MeasuredSoFar } from '../../../contract/measured.ts';
import {
  contrastKey,
  mainMeasures,
  measures,
  restatements,
  writeContrast,
  writeValue,
} from '../../../contract/measures.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import type { Report } from '../../../contract/report.ts';
import { schedulerName } from '../../../contract/words.ts';
import { ask } from '../../ask/bridge.ts';
import { ChartCard } from '../../components/chart-card.tsx';
import { useAsk } from '../../ask/queries.ts';
import { Figure } from '../../run/figure.tsx';
import { useLabel, useLocale } from '../../words.tsx';

/** So many other runs are shown beside one. */
const BASELINES = 8;

interface Baseline {
  readonly row: RunRow;
  readonly report: Report;
}

/** What a run came to by each measure on each sample, beside other finished runs of its model by the same on the same. */
export const MeasureCards = memo(function MeasureCards(props: {
  row: RunRow;
  report: Report | null;
  measured: readonly MeasuredSoFar[];
}): ReactElement | null {
  const { row, report } = props;
  const t = useLabel();
  const measured: readonly MeasuredSoFar[] = report?.measured ?? props.measured;
  const baselines = useBaselines(row, measured.length > 0);
  if (report && measured.length === 0) return <Text size="sm">{t('text.nothing-measured')}</Text>;
  return (
    <>
      {measured
        .filter(({ measure }) => mainMeasures.includes(measure))
        .map((one) => (
          <MeasureCard
            key={`${measuredKey(one)} ${one.tokens}`}
            row={row}
            entry={one}
            measured={measured}
            baselines={baselines}
            inReport={report !== null}
          />
        ))}
    </>
  );
});

/** The newest other finished runs of the run's model. */
function useBaselines({ id, modelId }: RunRow, enabled: boolean): readonly Baseline[] {
  const query: RunQuery = { ...newestRuns, states: ['finished'], model: modelId, limit: BASELINES + 1 };
  const { data } = useAsk('runs.list', query, { enabled: enabled && modelId !== null });
  const rows = (data?.rows ?? []).filter((row) => row.id !== id).slice(0, BASELINES);
  // One at a time: each answer is large.
  return useQueries({
    queries: rows.map((row) => ({
      queryKey: ['runs.reports', { ids: [row.id] }],
      queryFn: () => ask('runs.reports', { ids: [row.id] }),
    })),
    combine: (answers) =>
      answers.flatMap(({ data: reports }: { data: Output<'runs.reports'> | undefined }, i) => {
        const [row, report] = [rows[i], reports?.[0]];
        return row && report ? [{ row, report }] : [];
      }),
  });
}

interface MeasureCardProps {
  readonly row: RunRow;
  readonly entry: MeasuredSoFar;
  /** All of the run, `entry` among them. */
  readonly measured: readonly MeasuredSoFar[];
  readonly baselines: readonly Baseline[];
  readonly inReport: boolean;
}

function MeasureCard({ row, entry, measured, baselines, inReport }: MeasureCardProps): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const { measure, dense, compressed, ...sample } = entry;
  const others = baselines.flatMap(({ row: other, report }) => {
    const same = report.measured.find((one) => isSame(one, entry));
    return same ? [{ row: other, report, value: same.compressed.value }] : [];
  });
  const marks: MeasureMark[] = [
    ...(dense === null
      ? []
      : [{ key: 'dense', name: t('field.dense'), value: dense.value, series: denseSeries, isMain: false }]),
    ...(compressed === null ? [] : [{ key: row.id, name: row.name, value: compressed.value, series: 0, isMain: true }]),
    ...others.map((other) => ({
      key: other.row.id,
      name: otherName(other.row.name, other.report, t),
      value: other.value,
      series: 1,
      isMain: false,
    })),
  ];
  const name = t(`measure.${measure}`);
  const numbers = {
    headings: [t('run.name'), t('field.scheduler'), t('field.sparsity-actual'), name],
    rows: [
      ...(dense === null ? [] : [[t('field.dense'), null, null, dense.value]]),
      ...(compressed === null ? [] : [[row.name, row.scheduler, row.sparsity, compressed.value]]),
      ...others.map((other) => [
        other.row.name,
        schedulerName(other.report),
        other.report.sparsity.actual,
        other.value,
      ]),
    ],
  };
  const compare = t(`text.measure-compare-${measures[measure].better}`, { measures: t(`measure.${measure}.plural`) });
  return (
    <ChartCard
      title={t('measure.on', { measure: name, sample: sampleWords(sample, t) })}
      fileName={`${row.name} ${measure} ${sample.dataset}`}
      note={others.length > 0 ? t('measure.baselines') : compare}
      numbers={() => numbers}
    >
      <MeasureFigures entry={entry} measured={measured} inReport={inReport} />
      <MeasureChart measure={measure} sample={sample} marks={marks} locale={locale} />
    </ChartCard>
  );
}

/** Whether both are of one measure on the same tokens. */
function isSame(one: MeasuredSoFar, other: MeasuredSoFar): boolean {
  return measuredKey(one) === measuredKey(other) && one.tokens === other.tokens;
}

/** A run of the same name is told apart by what it is. */
function otherName(name: string, report: Report, t: Label): string {
  const { recipe, sparsity } = report;
  const bits = recipe.quantization === null ? [] : [t('text.quantization.bits', { bits: recipe.quantization.bits })];
  return `${name} (${[schedulerName(report), `${percent(sparsity.actual, 1)} %`, ...bits].join(', ')})`;
}

/** The numbers as text: dense, compressed, how they compare, and the same in other units. */
function MeasureFigures(props: Pick<MeasureCardProps, 'entry' | 'measured' | 'inReport'>): ReactElement {
  const { entry, measured, inReport } = props;
  const t = useLabel();
  const number = (of: MeasuredSoFar, which: 'dense' | 'compressed'): ReactElement => (
    <Figure path={inReport ? `measured.${measured.indexOf(of)}.${which}.value` : null}>
      {of[which] === null ? '…' : writeValue(of.measure, of[which].value)}
    </Figure>
  );
  const { measure, dense, compressed } = entry;
  const restated = restatements(measure).flatMap(
    (other) => measured.find((one) => isSame(one, { ...entry, measure: other })) ?? [],
  );
  return (
    <p className="measure-figures">
      <span>{t('field.dense')}</span> <b>{number(entry, 'dense')}</b>
      <span>{t('field.compressed')}</span> <b>{number(entry, 'compressed')}</b>
      {dense !== null && compressed !== null && (
        <>
          <span>{t(contrastKey(measure))}</span> <b>{writeContrast(measure, compressed.value, dense.value)}</b>
        </>
      )}
      {restated
        .filter((one) => one.dense !== null)
        .map((one) => (
          <Fragment key={one.measure}>
            <span>{t(`measure.${one.measure}`)}</span>{' '}
            <b>
              {number(one, 'dense')}
              {one.compressed !== null && (
                <>
                  {' → '}
                  {number(one, 'compressed')}
                </>
              )}
            </b>
          </Fragment>
        ))}
    </p>
  );
}
