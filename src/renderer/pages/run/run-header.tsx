import { ActionIcon, Button, Menu } from '@mantine/core';
import {
  IconDots,
  IconFolderOpen,
  IconPackageExport,
  IconPlayerPause,
  IconPlayerPlay,
  IconX,
} from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { memo, useState, type ReactElement } from 'react';

import { resumable, type RunRow } from '../../../contract/history.ts';
import { PageHeader } from '../../components/page-header.tsx';
import { useAct } from '../../ask/queries.ts';
import { EditDrawer } from '../../run/edit-drawer.tsx';
import { OpenReportButton } from '../../run/open-report-button.tsx';
import { useDeleteRuns, useRunAgain, useRunControl } from '../../run/run-actions.ts';
import { dateAndTime, runSummary } from '../../run/run-words.ts';
import { StateBadge } from '../../run/state-badge.tsx';
import { useLabel } from '../../words.tsx';
import { useCopyDiagnostics } from './diagnostics.ts';

export const RunHeader = memo(function RunHeader({ row }: { row: RunRow }): ReactElement {
  const t = useLabel();
  const detail = (
    <span className="run-line">
      <StateBadge state={row.state} />
      {row.modelId === null ? (
        <span>{row.modelName}</span>
      ) : (
        <Link to="/models/$id" params={{ id: row.modelId }}>
          {row.modelName}
        </Link>
      )}
      <span>{runSummary(row, t)}</span>
      <span>{dateAndTime(row.createdAt).join(' ')}</span>
    </span>
  );
  return (
    <PageHeader title={row.name} detail={detail}>
      <ControlButtons row={row} />
      {row.state === 'finished' && <ResultButtons row={row} />}
      <MoreMenu row={row} />
    </PageHeader>
  );
});

function ControlButtons({ row }: { row: RunRow }): ReactElement {
  const t = useLabel();
  const { pending, pause, cancel, resume } = useRunControl(row);
  return (
    <>
      {row.state === 'running' && (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={16} />}
          loading={pending === 'pause'}
          disabled={pending !== null}
          onClick={pause}
        >
          {t('run.pause')}
        </Button>
      )}
      {(row.state === 'running' || row.state === 'queued') && (
        <Button
          variant="default"
          leftSection={<IconX size={16} />}
          loading={pending === 'cancel'}
          disabled={pending === 'cancel'}
          onClick={() => void cancel()}
        >
          {t('run.cancel')}
        </Button>
      )}
      {resumable.includes(row.state) && (
        <Button leftSection={<IconPlayerPlay size={16} />} loading={pending === 'resume'} onClick={resume}>
          {t('app.resume')}
        </Button>
      )}
    </>
  );
}

function ResultButtons({ row: { id } }: { row: RunRow }): ReactElement {
  const t = useLabel();
  const navigate = useNavigate();
  return (
    <>
      <OpenReportButton id={id} />
      <Button
        leftSection={<IconPackageExport size={16} />}
        onClick={() => void navigate({ to: '/runs/$id/export', params: { id } })}
      >
        {t('run.export')}
      </Button>
    </>
  );
}

function MoreMenu({ row }: { row: RunRow }): ReactElement {
  const t = useLabel();
  const navigate = useNavigate();
  const reveal = useAct('runs.reveal');
  const { isPending, runAgain } = useRunAgain();
  const copyDiagnostics = useCopyDiagnostics(row.id);
  const deleteRuns = useDeleteRuns();
  const [isEdited, setIsEdited] = useState(false);
  const isActive = row.state === 'running' || row.state === 'queued';
  const remove = async (): Promise<void> => {
    if (await deleteRuns([row])) await navigate({ to: '/history' });
  };
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size="input-sm" aria-label={t('run.more')} loading={isPending}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconFolderOpen size={16} />} onClick={() => reveal.mutate({ id: row.id })}>
            {t('app.reveal')}
          </Menu.Item>
          <Menu.Item onClick={() => setIsEdited(true)}>{t('history.edit')}</Menu.Item>
          <Menu.Item onClick={() => void runAgain(row)}>{t('run.again')}</Menu.Item>
          <Menu.Item onClick={() => void navigate({ to: '/new', search: { from: row.id } })}>
            {t('run.edit-and-run')}
          </Menu.Item>
          {row.state === 'finished' && (
            <Menu.Item onClick={() => void navigate({ to: '/compare', search: { ids: row.id } })}>
              {t('run.compare')}
            </Menu.Item>
          )}
          <Menu.Item onClick={copyDiagnostics}>{t('run.copy-diagnostics')}</Menu.Item>
          <Menu.Divider />
          <Menu.Item color="red" disabled={isActive} onClick={() => void remove()}>
            {t('run.delete')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isEdited && <EditDrawer row={row} onClose={() => setIsEdited(false)} />}
    </>
  );
}
