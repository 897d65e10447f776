import { Paper, Title } from '@mantine/core';
import type { ReactElement } from 'react';

import { bytes, duration, whole } from '../../../contract/format.ts';
import { elapsedSeconds } from '../../../contract/run-view.ts';
import { Facts } from '../../run/facts.tsx';
import { useNow, useSampled } from '../../run/time.ts';
import { useLabel } from '../../words.tsx';
import type { ShownRun } from './run.ts';
import { StageList } from './stage-list.tsx';

/** How the run goes: its stages, the block it is at, time gone and left, speed and memory; painted once a second. */
export function Pace({ run }: { run: ShownRun }): ReactElement {
  const t = useLabel();
  const isRunning = run.row.state === 'running';
  const now = useNow(isRunning);
  const view = useSampled(run.view, 1000);
  const { progress, blocks } = view;
  const total = blocks?.of ?? new Set(run.layers.map(({ block }) => block)).size;
  const block = progress?.block ?? null;
  const ofStage = { stage: progress ? t(`stage.${progress.stage}`) : '' };
  return (
    <Paper component="section" withBorder className="pace" aria-label={t('run.progress')}>
      <Title order={2} size="h5">
        {t('run.progress')}
      </Title>
      <StageList view={view} now={now} />
      <Facts
        rows={[
          { name: t('pace.elapsed'), text: duration(elapsedSeconds(view, now)) },
          ...(isRunning && progress
            ? [
                {
                  name: t('pace.remaining', ofStage),
                  text: progress.remainingSeconds === null ? '–' : duration(progress.remainingSeconds),
                },
                ...(block === null
                  ? []
                  : [{ name: t('pace.block'), text: t('pace.block-of', { block: block + 1, blocks: total }) }]),
                {
                  name: t('pace.speed'),
                  text: progress.tokensPerSecond === null ? '–' : whole(Math.round(progress.tokensPerSecond)),
                },
                { name: t('pace.memory'), text: bytes(progress.memoryBytes) },
              ]
            : blocks === null
              ? []
              : [{ name: t('pace.blocks-done'), text: t('pace.block-of', { block: blocks.done, blocks: blocks.of }) }]),
        ]}
      />
    </Paper>
  );
}
