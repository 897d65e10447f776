import { Button, Loader, Text, Tooltip } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconChartDots, IconFolderPlus } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useMemo, useState, type ReactElement } from 'react';

import type { RunRow } from '../../../contract/history.ts';
import { firstMeasure, type MeasureId } from '../../../contract/measures.ts';
import { DataTable } from '../../components/data-table.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useRunPages } from '../../components/use-pages.ts';
import { useImportRun } from '../../run/run-actions.ts';
import { EditDrawer } from '../../run/edit-drawer.tsx';
import { useLabel } from '../../words.tsx';
import { useColumns } from './columns.tsx';
import { FilterBar } from './filter-bar.tsx';
import { NoRuns } from './no-runs.tsx';
import { ScatterCard } from './scatter-card.tsx';
import { SelectionBar } from './selection-bar.tsx';
import { useFilter } from './use-filter.ts';
import { useSelection } from './use-selection.ts';
import { sortable, useSorting } from './use-sorting.ts';

/** Every run: found, sorted, chosen for comparison or deletion. */
export function HistoryPage(): ReactElement {
  const t = useLabel();
  const navigate = useNavigate();
  const hasRoomBeside = useMediaQuery('(min-width: 1880px)', undefined, { getInitialValueInEffect: false });
  const isWide = useMediaQuery('(min-width: 1640px)', undefined, { getInitialValueInEffect: false });
  const [shows, setShows] = useState<'chart' | 'no-chart' | null>(null);
  const [edited, setEdited] = useState<RunRow | null>(null);
  const filter = useFilter();
  const [measure, setMeasure] = useState<MeasureId>(firstMeasure);
  const { sort, onSort } = useSorting(measure);
  const { rows, total, error, onVisible } = useRunPages({ ...filter.values, sort });
  const selection = useSelection(rows);
  const showsChart = shows === null ? hasRoomBeside : shows === 'chart';
  const columns = useColumns(isWide && !(showsChart && hasRoomBeside) ? 'wide' : 'narrow', measure, setEdited);
  const remote = useMemo(() => ({ sort, onSort, sortable, onVisible }), [sort, onSort, onVisible]);
  const open = useCallback(({ id }: RunRow) => void navigate({ to: '/runs/$id', params: { id } }), [navigate]);
  const name = t(`measure.${measure}.in-text`);
  const none = <NoRuns isFiltered={filter.isSet} onClear={filter.clear} />;
  return (
    <>
      <PageHeader title={t('app.history')} detail={total === null ? '' : t('history.total', { runs: total })}>
        <ImportButton />
        <Button
          variant={showsChart ? 'light' : 'default'}
          leftSection={<IconChartDots size={16} />}
          aria-pressed={showsChart}
          onClick={() => setShows(showsChart ? 'no-chart' : 'chart')}
        >
          {t('history.scatter', { measure: name })}
        </Button>
      </PageHeader>
      <div className="page-fill">
        <FilterBar filter={filter} measure={measure} onMeasure={setMeasure} />
        <SelectionBar selection={selection} />
        {sort.column === measure && (
          <Text size="xs" c="dimmed">
            {t('history.sorted-by-measure', { measure: name })}
          </Text>
        )}
        {error && <FailureView failure={error} />}
        <div className="history-body" data-chart={showsChart || undefined} data-beside={hasRoomBeside || undefined}>
          {showsChart && (
            <ScatterCard
              filter={filter.values}
              measure={measure}
              selected={selection.ids}
              onToggle={selection.onToggle}
            />
          )}
          {total === null ? (
            error === null && <Loader className="page-loader" />
          ) : (
            <DataTable
              label={t('app.history')}
              columns={columns}
              rows={rows}
              keyOf={idOf}
              remote={remote}
              selection={selection}
              onOpen={open}
              rowHeight={44}
              empty={none}
            />
          )}
        </div>
      </div>
      {edited && <EditDrawer key={edited.id} row={edited} onClose={() => setEdited(null)} />}
    </>
  );
}

const idOf = ({ id }: RunRow): string => id;

function ImportButton(): ReactElement {
  const t = useLabel();
  const { isPending, importRun } = useImportRun();
  return (
    <Tooltip label={t('history.import-hint')}>
      <Button variant="default" leftSection={<IconFolderPlus size={16} />} loading={isPending} onClick={importRun}>
        {t('history.import')}
      </Button>
    </Tooltip>
  );
}
