import { ActionIcon, Menu } from '@mantine/core';
import { IconDots } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import { resumable, type RunRow } from '../../../contract/history.ts';
import { useAct } from '../../ask/queries.ts';
import { useDeleteRuns, useRunAgain, useRunControl } from '../../run/run-actions.ts';
import { useLabel } from '../../words.tsx';

/** What can be done with one run. */
export function RowMenu({ row, onEdit }: { row: RunRow; onEdit: (row: RunRow) => void }): ReactElement {
  const t = useLabel();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon size="sm" aria-label={t('history.actions', { name: row.name })}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Items row={row} onEdit={onEdit} />
      </Menu.Dropdown>
    </Menu>
  );
}

/** Only there while the menu is open. */
function Items({ row, onEdit }: { row: RunRow; onEdit: (row: RunRow) => void }): ReactElement {
  const t = useLabel();
  const navigate = useNavigate();
  const control = useRunControl(row);
  const { runAgain } = useRunAgain();
  const deleteRuns = useDeleteRuns();
  const reveal = useAct('runs.reveal');
  const { id, state } = row;
  const isActive = state === 'running' || state === 'queued';
  return (
    <>
      <Menu.Item onClick={() => onEdit(row)}>{t('history.edit')}</Menu.Item>
      {resumable.includes(state) && <Menu.Item onClick={control.resume}>{t('app.resume')}</Menu.Item>}
      {state === 'running' && <Menu.Item onClick={control.pause}>{t('run.pause')}</Menu.Item>}
      {isActive && <Menu.Item onClick={() => void control.cancel()}>{t('run.cancel')}</Menu.Item>}
      <Menu.Item onClick={() => void runAgain(row)}>{t('run.again')}</Menu.Item>
      <Menu.Item onClick={() => void navigate({ to: '/new', search: { from: id } })}>{t('run.edit-and-run')}</Menu.Item>
      {state === 'finished' && (
        <Menu.Item onClick={() => void navigate({ to: '/runs/$id/export', params: { id } })}>
          {t('run.export')}
        </Menu.Item>
      )}
      <Menu.Item onClick={() => reveal.mutate({ id })}>{t('app.reveal')}</Menu.Item>
      <Menu.Divider />
      <Menu.Item color="red" disabled={isActive} onClick={() => void deleteRuns([row])}>
        {t('run.delete')}
      </Menu.Item>
    </>
  );
}
