import { Progress } from '@mantine/core';
import {
  IconArchive,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconPlayerPlayFilled,
  type Icon,
} from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { duration } from '../../../contract/format.ts';
import { stageSeconds, stagesOfRun, type RunView, type StageState, type StageView } from '../../run/run-view.ts';
import { stageName } from '../../run/sentence.ts';
import { useLabel } from '../../words.tsx';

const icons: Readonly<Record<StageState, Icon>> = {
  waiting: IconCircleDashed,
  running: IconPlayerPlayFilled,
  finished: IconCircleCheck,
  kept: IconArchive,
  stopped: IconCircleX,
};

/** What the run does, in order: how far each stage is and how long it took. `now`: milliseconds since 1970. */
export function StageList(props: Pick<RunView, 'stages' | 'progress'> & { now: number }): ReactElement {
  const { stages, progress, now } = props;
  return (
    <ol className="stages">
      {stagesOfRun(stages).map((stage) => (
        <StageItem key={stage.stage} stage={stage} share={shareOf(progress, stage)} now={now} />
      ))}
    </ol>
  );
}

/** How much of a running stage is done, 0 to 1; null where it does not tell. */
function shareOf(progress: RunView['progress'], { stage, state }: StageView): number | null {
  if (state !== 'running' || progress?.stage !== stage || progress.total <= 0) return null;
  return Math.min(1, progress.done / progress.total);
}

function StageItem(props: { stage: StageView; share: number | null; now: number }): ReactElement {
  const { stage, share, now } = props;
  const t = useLabel();
  const Icon = icons[stage.state];
  const seconds = stageSeconds(stage, now);
  const name = stageName(stage.stage, t);
  return (
    <li data-stage={stage.stage} data-state={stage.state}>
      <Icon size={16} aria-hidden="true" />
      <span className="stage-name">{name}</span>
      <span className="stage-state">{t(`stage-state.${stage.state}`)}</span>
      <span className="stage-seconds">{stage.state === 'waiting' ? '' : duration(seconds)}</span>
      {share !== null && (
        <Progress className="stage-progress" size="sm" value={100 * share} transitionDuration={0} aria-label={name} />
      )}
    </li>
  );
}
