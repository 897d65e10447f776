import { Button, Loader, Switch, Text } from '@mantine/core';
import { IconArrowsDiff, IconFileTypeCsv } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo, useState, type ReactElement } from 'react';

import { compareTable } from '../../../contract/compare.ts';
import { firstOf } from '../../../contract/measured.ts';
import { firstMeasure, mainMeasures, measures } from '../../../contract/measures.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { EmptyState } from '../../components/empty-state.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { LinkButton } from '../../components/link-button.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { toCsv } from '../../csv.ts';
import { useAct } from '../../ask/queries.ts';
import { useLabel, useLocale } from '../../words.tsx';
import { AddRun } from './add-run.tsx';
import { ComparedLayer } from './compared-layer.tsx';
import { CompareTable } from './compare-table.tsx';
import { comparisonCsv } from './comparison-csv.ts';
import { LayerMaps } from './layer-maps.tsx';
import { MeasureCharts } from './measure-charts.tsx';
import { SparsityCurves } from './sparsity-curves.tsx';
import { useCompared, type Compared } from './use-compared.ts';

const route = getRouteApi('/compare');

/** Finished runs side by side. */
export function ComparePage(): ReactElement {
  const t = useLabel();
  const address = route.useSearch();
  const navigate = route.useNavigate();
  const ids = useMemo(() => [...new Set(address.ids.split(',').filter((id) => id !== ''))], [address.ids]);
  const { runs, failures, unfinished, isLoading } = useCompared(ids);
  const show = (shown: readonly string[]): void => void navigate({ search: { ids: shown.join(',') }, replace: true });
  return (
    <>
      <PageHeader title={t('compare.title')} detail={t('compare.runs', { runs: runs.length })}>
        <AddRun shown={ids} onAdd={(id) => show([...ids, id])} />
        <SaveCsv runs={runs} />
      </PageHeader>
      <div className="page-body compare-body">
        {failures.map((failure, i) => (
          <FailureView key={i} failure={failure} />
        ))}
        {unfinished.map(({ id, name }) => (
          <Text key={id} size="sm" role="status">
            {t('compare.unfinished', { name })}{' '}
            <Button size="compact-xs" variant="subtle" onClick={() => show(ids.filter((one) => one !== id))}>
              {t('compare.leave-out')}
            </Button>
          </Text>
        ))}
        {isLoading && <Loader className="page-loader" />}
        {!isLoading && runs.length === 0 && (
          <EmptyState icon={<IconArrowsDiff size={32} />} title={t('compare.none')} text={t('compare.none-text')}>
            <LinkButton to="/history">{t('app.history')}</LinkButton>
          </EmptyState>
        )}
        {runs.length > 0 && <Comparison runs={runs} onLeaveOut={(id) => show(ids.filter((one) => one !== id))} />}
      </div>
    </>
  );
}

function Comparison(props: { runs: readonly Compared[]; onLeaveOut: (id: string) => void }): ReactElement {
  const { runs, onLeaveOut } = props;
  const t = useLabel();
  const [chosen, setChosen] = useState<string | null>(null);
  const [shows, setShows] = useState<'all' | 'differences'>('all');
  const [layer, setLayer] = useState<string | null>(null);
  const baseline = runs.find(({ row }) => row.id === chosen) ?? runs[0];
  return (
    <>
      <Switch
        label={t('compare.differences-only')}
        checked={shows === 'differences'}
        onChange={(event) => setShows(event.currentTarget.checked ? 'differences' : 'all')}
      />
      <CompareTable
        runs={runs}
        baseline={baseline?.row.id ?? ''}
        shows={shows}
        onBaseline={setChosen}
        onLeaveOut={onLeaveOut}
      />
      <Text size="xs" c="dimmed">
        {compareNote(runs, t)} {t('compare.schedule-note')}
      </Text>
      <div className="compare-charts">
        <MeasureCharts runs={runs} baseline={baseline?.row.id ?? ''} />
        <SparsityCurves runs={runs} onOpen={setLayer} />
      </div>
      <LayerMaps runs={runs} onOpen={setLayer} />
      <ComparedLayer runs={runs} layer={layer} onClose={() => setLayer(null)} />
    </>
  );
}

/** When numbers of the measures that the runs have compare. */
function compareNote(runs: readonly Compared[], t: Label): string {
  const found = mainMeasures.filter((id) => runs.some(({ report }) => firstOf(report.measured, id)));
  const shown = found.length === 0 ? [firstMeasure] : found;
  return shown
    .map((id) => t(`text.measure-compare-${measures[id].better}`, { measures: t(`measure.${id}.plural`) }))
    .join(' ');
}

function SaveCsv({ runs }: { runs: readonly Compared[] }): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const save = useAct('files.save');
  const saveCsv = (): void => {
    const rows = compareTable(
      runs.map(({ report }) => report),
      locale,
    );
    const { headings, rows: cells } = comparisonCsv(runs, rows);
    save.mutate({ name: 'comparison.csv', content: toCsv(headings, cells), encoding: 'utf8' });
  };
  return (
    <Button
      variant="default"
      leftSection={<IconFileTypeCsv size={16} />}
      disabled={runs.length === 0}
      loading={save.isPending}
      onClick={saveCsv}
    >
      {t('compare.save-csv')}
    </Button>
  );
}
