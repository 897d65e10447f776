import { IconClock } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { EmptyState } from '../../components/empty-state.tsx';
import { useLabel } from '../../words.tsx';
import { AttemptsCard } from './attempts-card.tsx';
import { ChoiceCard } from './choice-card.tsx';
import { ForeseenCard } from './foreseen-card.tsx';
import { ErrorCard, LayerMapCard, ScheduleCard, SparsityCard } from './layer-charts.tsx';
import { Pace } from './pace.tsx';
import { MeasureCards } from './measure-cards.tsx';
import { ResultCard } from './result-card.tsx';
import type { ShownRun } from './run.ts';

/** What a run has come to, in pictures and a few numbers. */
export function Overview(props: { run: ShownRun; onOpenLayer: (layer: string) => void }): ReactElement {
  const { run, onOpenLayer } = props;
  const { row, report, view, layers } = run;
  const t = useLabel();
  const charts = { layers, file: row.name, onOpen: onOpenLayer };
  return (
    <div className="run-overview">
      <aside className="run-side" data-sticky={report === null || undefined}>
        {report && <ResultCard report={report} />}
        <Pace run={run} />
      </aside>
      <div className="run-charts">
        <AttemptsCard {...run} />
        <MeasureCards row={row} report={report} measured={view.measured} />
        <ForeseenCard target={report?.target ?? view.target} inReport={report !== null} />
        <ChoiceCard choice={report?.choice ?? view.choice} inReport={report !== null} />
        {layers.length === 0 ? (
          <EmptyState
            icon={<IconClock size={32} />}
            title={row.state === 'queued' ? t('state.queued') : t(run.isLoading ? 'run.loading' : 'run.no-layers')}
            text={t(row.state === 'queued' ? 'run.queued-text' : 'run.no-layers-text')}
          />
        ) : (
          <>
            <LayerMapCard {...charts} />
            <SparsityCard {...charts} target={row.targetSparsity ?? report?.sparsity.target ?? null} />
            <ScheduleCard {...charts} centroids={report?.centroids ?? view.centroids} inReport={report !== null} />
            <ErrorCard {...charts} />
          </>
        )}
      </div>
    </div>
  );
}
