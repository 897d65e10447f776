import { Text } from '@mantine/core';
import { useQueries } from '@tanstack/react-query';
import { memo, type ReactElement } from 'react';

import { denseSeries, PerplexityChart, type PerplexityMark } from '../../../charts/perplexity-chart.tsx';
import type { Output } from '../../../contract/bridge.ts';
import { fixed, percent, perplexity } from '../../../contract/format.ts';
import type { RunRow } from '../../../contract/history.ts';
import { measureKey } from '../../../contract/measure.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import type { Report } from '../../../contract/report.ts';
import type { PerplexityView } from '../../run/run-view.ts';
import { schedulerName } from '../../../contract/words.ts';
import { ask } from '../../ask/bridge.ts';
import { ChartCard } from '../../components/chart-card.tsx';
import { useAsk } from '../../ask/queries.ts';
import { Figure } from '../../run/figure.tsx';
import { useLabel, useLocale } from '../../words.tsx';

/** So many other runs are shown beside one. */
const BASELINES = 8;

interface Measured extends Pick<Report['perplexity'][number], 'dataset' | 'seqlen' | 'windows' | 'tokens'> {
  readonly dense: number | null;
  readonly compressed: number | null;
  readonly denseBitsPerByte: number | null;
  readonly compressedBitsPerByte: number | null;
}

interface Baseline {
  readonly row: RunRow;
  readonly report: Report;
}

/** Perplexities of a run by each measure, beside those of other finished runs of its model by the same one. */
export const PerplexityCards = memo(function PerplexityCards(props: {
  row: RunRow;
  report: Report | null;
  perplexities: readonly PerplexityView[];
}): ReactElement | null {
  const { row, report, perplexities } = props;
  const t = useLabel();
  const measured = report?.perplexity ?? perplexities.map(measuredOf);
  const baselines = useBaselines(row, measured.length > 0);
  if (report && measured.length === 0) return <Text size="sm">{t('text.perplexity-none')}</Text>;
  return (
    <>
      {measured.map((one, index) => (
        <PerplexityCard
          key={`${measureKey(one)} ${one.tokens}`}
          row={row}
          measured={one}
          baselines={baselines}
          figure={report ? `perplexity.${index}` : null}
        />
      ))}
    </>
  );
});

function measuredOf({ dense, compressed, ...measure }: PerplexityView): Measured {
  return {
    ...measure,
    dense: dense?.perplexity ?? null,
    compressed: compressed?.perplexity ?? null,
    denseBitsPerByte: dense?.bitsPerByte ?? null,
    compressedBitsPerByte: compressed?.bitsPerByte ?? null,
  };
}

/** The newest other finished runs of the run's model. */
function useBaselines({ id, modelId }: RunRow, enabled: boolean): readonly Baseline[] {
  const query = {
    search: '',
    states: ['finished' as const],
    bits: [],
    model: modelId,
    sort: { column: 'createdAt' as const, descending: true },
    offset: 0,
    limit: BASELINES + 1,
  };
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

interface PerplexityCardProps {
  readonly row: RunRow;
  readonly measured: Measured;
  readonly baselines: readonly Baseline[];
  /** Its place in the report. */
  readonly figure: string | null;
}

function PerplexityCard({ row, measured, baselines, figure }: PerplexityCardProps): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const { dataset, seqlen, windows, dense, compressed } = measured;
  const others = baselines.flatMap(({ row: other, report }) => {
    const same = report.perplexity.find(
      (one) => measureKey(one) === measureKey(measured) && one.tokens === measured.tokens,
    );
    return same ? [{ row: other, report, perplexity: same.compressed }] : [];
  });
  const marks: PerplexityMark[] = [
    ...(dense === null
      ? []
      : [{ key: 'dense', name: t('field.dense'), perplexity: dense, series: denseSeries, isMain: false }]),
    ...(compressed === null ? [] : [{ key: row.id, name: row.name, perplexity: compressed, series: 0, isMain: true }]),
    ...others.map((other) => ({
      key: other.row.id,
      name: otherName(other.row.name, other.report, t),
      perplexity: other.perplexity,
      series: 1,
      isMain: false,
    })),
  ];
  const numbers = {
    headings: [t('run.name'), t('field.scheduler'), t('field.sparsity-actual'), t('report.perplexity')],
    rows: [
      ...(dense === null ? [] : [[t('field.dense'), null, null, dense]]),
      ...(compressed === null ? [] : [[row.name, row.scheduler, row.sparsity, compressed]]),
      ...others.map((other) => [
        other.row.name,
        schedulerName(other.report),
        other.report.sparsity.actual,
        other.perplexity,
      ]),
    ],
  };
  return (
    <ChartCard
      title={t('perplexity.on', { dataset, seqlen, windows })}
      fileName={`${row.name} perplexity ${dataset}`}
      note={others.length > 0 ? t('perplexity.baselines') : t('text.perplexity-compare')}
      numbers={() => numbers}
    >
      <PerplexityFigures measured={measured} figure={figure} />
      <PerplexityChart measure={measured} marks={marks} locale={locale} />
    </ChartCard>
  );
}

/** A run of the same name is told apart by what it is. */
function otherName(name: string, report: Report, t: Label): string {
  const { recipe, sparsity } = report;
  const bits = recipe.quantization === null ? [] : [t('text.quantization.bits', { bits: recipe.quantization.bits })];
  return `${name} (${[schedulerName(report), `${percent(sparsity.actual, 1)} %`, ...bits].join(', ')})`;
}

function PerplexityFigures({ measured, figure }: { measured: Measured; figure: string | null }): ReactElement {
  const t = useLabel();
  const { dense, compressed, denseBitsPerByte, compressedBitsPerByte } = measured;
  const place = (field: keyof Measured): string | null => figure && `${figure}.${field}`;
  const number = (field: 'dense' | 'compressed'): ReactElement => (
    <Figure path={place(field)}>{measured[field] === null ? '…' : perplexity(measured[field])}</Figure>
  );
  return (
    <p className="perplexity-figures">
      <span>{t('field.dense')}</span> <b>{number('dense')}</b>
      <span>{t('field.compressed')}</span> <b>{number('compressed')}</b>
      {dense !== null && compressed !== null && (
        <>
          <span>{t('field.ratio')}</span> <b>{`${fixed(compressed / dense, 3)} ×`}</b>
        </>
      )}
      {denseBitsPerByte !== null && (
        <>
          <span>{t('perplexity.bits')}</span>{' '}
          <b>
            <Figure path={place('denseBitsPerByte')}>{fixed(denseBitsPerByte, 3)}</Figure>
            {compressedBitsPerByte !== null && (
              <>
                {' → '}
                <Figure path={place('compressedBitsPerByte')}>{fixed(compressedBitsPerByte, 3)}</Figure>
              </>
            )}
          </b>
        </>
      )}
    </p>
  );
}
