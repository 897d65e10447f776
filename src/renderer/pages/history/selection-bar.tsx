import { Button, Group, Text, Tooltip } from '@mantine/core';
import { IconArrowsDiff, IconPlayerPlay, IconTrash } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import { resumable } from '../../../contract/history.ts';
import { useAct } from '../../ask/queries.ts';
import { useDeleteRuns } from '../../run/run-actions.ts';
import { useLabel } from '../../words.tsx';
import type { RunSelection } from './use-selection.ts';

/** So many runs can be compared at once. */
export const MOST_COMPARED = 20;

/** What can be done with the chosen runs. */
export function SelectionBar({ selection }: { selection: RunSelection }): ReactElement | null {
  const t = useLabel();
  const navigate = useNavigate();
  const deleteRuns = useDeleteRuns();
  const resume = useAct('runs.resume');
  const { rows, ids } = selection;
  if (ids.size === 0) return null;
  const finished = rows.filter(({ state }) => state === 'finished');
  const stopped = rows.filter(({ state }) => resumable.includes(state));
  const idle = rows.filter(({ state }) => state !== 'running' && state !== 'queued');
  const canCompare = finished.length >= 2 && finished.length <= MOST_COMPARED;
  const compare = (): void =>
    void navigate({ to: '/compare', search: { ids: finished.map(({ id }) => id).join(',') } });
  const remove = async (): Promise<void> => {
    if (await deleteRuns(idle)) selection.clear();
  };
  return (
    <Group gap="xs" className="selection-bar" role="toolbar" aria-label={t('history.selection')}>
      <Text size="sm" fw={600} aria-live="polite">
        {t('history.selected', { runs: ids.size })}
      </Text>
      <Tooltip label={t('history.compare-needs', { most: MOST_COMPARED })} disabled={canCompare}>
        <Button
          leftSection={<IconArrowsDiff size={16} />}
          {...(!canCompare && { 'data-disabled': true })}
          aria-disabled={!canCompare}
          onClick={() => canCompare && compare()}
        >
          {t('history.compare', { runs: finished.length })}
        </Button>
      </Tooltip>
      {stopped.length > 0 && (
        <Button
          variant="default"
          leftSection={<IconPlayerPlay size={16} />}
          loading={resume.isPending}
          onClick={() => stopped.forEach(({ id }) => resume.mutate({ id }))}
        >
          {t('history.resume', { runs: stopped.length })}
        </Button>
      )}
      {idle.length > 0 && (
        <Button variant="default" leftSection={<IconTrash size={16} />} onClick={() => void remove()}>
          {t('history.delete', { runs: idle.length })}
        </Button>
      )}
      <Button variant="subtle" onClick={selection.clear}>
        {t('history.clear-selection')}
      </Button>
    </Group>
  );
}
