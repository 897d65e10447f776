import { Paper, Title } from '@mantine/core';
import { memo, type ReactElement } from 'react';

import { bytes, duration, whole } from '../../../contract/format.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { elapsedSeconds, type RunView } from '../../run/run-view.ts';
import { deviceFacts } from '../../run/device-facts.ts';
import { Facts, type Fact } from '../../run/facts.tsx';
import { stageName } from '../../run/sentence.ts';
import { useNow, useSampled } from '../../run/time.ts';
import { useLabel } from '../../words.tsx';
import type { ShownRun } from './run.ts';
import { StageList } from './stage-list.tsx';

/** How the run goes: its stages, the block it is at, time gone and left, speed, memory and devices, repainted once a second. */
export function Pace({ run }: { run: ShownRun }): ReactElement {
  const { row, view } = run;
  const isRunning = row.state === 'running';
  const now = useNow(isRunning);
  const progress = useSampled(view.progress, 1000);
  const total = view.blocks?.of ?? new Set(view.layers.map(({ block }) => block)).size;
  return (
    <PaceOf
      stages={view.stages}
      progress={isRunning ? progress : null}
      devices={isRunning ? view.devices : null}
      gpuUsage={view.gpuUsage}
      blocksDone={view.blocks?.done ?? 0}
      blocks={total}
      now={now}
    />
  );
}

interface PaceProps {
  readonly stages: RunView['stages'];
  /** null while the run does not go. */
  readonly progress: RunView['progress'];
  /** null while the run does not go. */
  readonly devices: RunView['devices'];
  readonly gpuUsage: RunView['gpuUsage'];
  readonly blocksDone: number;
  readonly blocks: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const PaceOf = memo(function PaceOf(props: PaceProps): ReactElement {
  const { stages, progress, blocksDone, blocks, now } = props;
  const t = useLabel();
  const elapsed: Fact = { name: t('pace.elapsed'), text: duration(elapsedSeconds(stages, now)) };
  const done: Fact = { name: t('pace.blocks-done'), text: t('pace.block-of', { block: blocksDone, blocks }) };
  const facts = progress ? [elapsed, ...progressFacts(progress, blocks, t)] : [elapsed, ...(blocks > 0 ? [done] : [])];
  return (
    <Paper component="section" withBorder className="pace" aria-label={t('run.progress')}>
      <Title order={2} size="h5">
        {t('run.progress')}
      </Title>
      <StageList stages={stages} progress={progress} now={now} />
      <Facts rows={[...facts, ...deviceFacts(props, t)]} />
    </Paper>
  );
});

function progressFacts(progress: NonNullable<RunView['progress']>, blocks: number, t: Label): Fact[] {
  const { stage, block, remainingSeconds, tokensPerSecond, memoryBytes } = progress;
  const known = (value: number | null, write: (value: number) => string): string =>
    value === null ? '–' : write(value);
  return [
    { name: t('pace.remaining', { stage: stageName(stage, t) }), text: known(remainingSeconds, duration) },
    ...(block === null ? [] : [{ name: t('pace.block'), text: t('pace.block-of', { block: block + 1, blocks }) }]),
    { name: t('pace.speed'), text: known(tokensPerSecond, (speed) => whole(Math.round(speed))) },
    { name: t('pace.memory'), text: bytes(memoryBytes) },
  ];
}
