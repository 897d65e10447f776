import { Tabs } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useDeferredValue, useMemo, useState, type ReactElement } from 'react';

import type { Output } from '../../../contract/bridge.ts';
import { emptyView, ended, type LayerView } from '../../run/run-view.ts';
import { FailureView } from '../../components/failure-view.tsx';
import { AskedRun } from '../../run/asked-run.tsx';
import { useLiveRun } from '../../run/live-run.ts';
import { useLabel } from '../../words.tsx';
import { RunDetails } from './details.tsx';
import { LayerDrawer } from './layer-drawer.tsx';
import { LayersTable } from './layers-table.tsx';
import { RunLog } from './log.tsx';
import { Overview } from './overview.tsx';
import { RunHeader } from './run-header.tsx';
import { RunFailure, RunWarnings } from './trouble.tsx';

const route = getRouteApi('/runs/$id');

/** A run while it goes and when it has ended. */
export function RunPage(): ReactElement {
  const { id } = route.useParams();
  return (
    <AskedRun key={id} id={id}>
      {(run) => <KnownRun {...run} />}
    </AskedRun>
  );
}

function KnownRun({ row, recipe, report, attempts }: Output<'runs.get'>): ReactElement {
  const t = useLabel();
  const { view: told, error } = useLiveRun(row);
  const goesOn = row.state === 'running' || row.state === 'queued';
  const view = useMemo(() => (goesOn ? (told ?? emptyView) : ended(told ?? emptyView)), [told, goesOn]);
  // Drawing hundreds of layers gives way to everything else.
  const layers = useDeferredValue<readonly LayerView[]>(report?.layers ?? view.layers);
  const [opened, setOpened] = useState<string | null>(null);
  const run = { row, recipe, report, attempts, view, layers, isLoading: told === null && error === null };
  return (
    <>
      <RunHeader row={row} />
      <div className="run-trouble">
        <RunWarnings warnings={report?.warnings ?? view.warnings} />
        <RunFailure row={row} view={view} />
        {error && <FailureView failure={error} />}
      </div>
      <Tabs defaultValue="overview" keepMounted={false} className="run-tabs">
        <Tabs.List>
          <Tabs.Tab value="overview">{t('run.overview')}</Tabs.Tab>
          <Tabs.Tab value="layers">{t('run.layers')}</Tabs.Tab>
          <Tabs.Tab value="details">{t('run.details')}</Tabs.Tab>
          <Tabs.Tab value="log">{t('run.log')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview run={run} onOpenLayer={setOpened} />
        </Tabs.Panel>
        <Tabs.Panel value="layers" className="run-fill">
          <LayersTable layers={layers} inReport={report !== null} onOpen={setOpened} />
        </Tabs.Panel>
        <Tabs.Panel value="details">
          <RunDetails run={run} />
        </Tabs.Panel>
        <Tabs.Panel value="log" className="run-fill">
          <RunLog name={row.name} log={view.log} />
        </Tabs.Panel>
      </Tabs>
      <LayerDrawer layers={layers} opened={opened} inReport={report !== null} onOpen={setOpened} />
    </>
  );
}
