import { Button, Paper, Progress, Text } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconX } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { bytes, duration } from '../../../contract/format.ts';
import type { Download, PullProgress } from '../../../contract/hub.ts';
import { message } from '../../../contract/messages/index.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { useAct, useAsk } from '../../ask/queries.ts';
import { useSampled } from '../../run/time.ts';
import { useLabel, useLocale } from '../../words.tsx';

/** Models that are being fetched, or can be fetched on. */
export function Downloads(): ReactElement | null {
  const t = useLabel();
  const { data: downloads = [] } = useAsk('downloads.list', null);
  if (downloads.length === 0) return null;
  return (
    <section className="downloads" aria-label={t('downloads.title')}>
      {downloads.map((download) =>
        download.state.kind === 'failed' ? (
          <FailureView
            key={download.id}
            failure={download.state.failure}
            title={t('downloads.failed', { name: download.repository })}
          >
            <ResumeButton download={download} />
            <CancelButton download={download} />
          </FailureView>
        ) : (
          <DownloadCard key={download.id} download={download} />
        ),
      )}
    </section>
  );
}

function DownloadCard({ download }: { download: Download }): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const { repository, folder, state, moved } = download;
  const shown = useSampled(state, 500);
  const progress = shown.kind === 'going-on' ? shown.progress : null;
  const { done, total } = progress !== null && progress.total > 0 ? progress : download;
  return (
    <Paper withBorder className="download">
      <div className="download-head">
        <Text size="sm" fw={600} className="cut">
          {repository}
        </Text>
        <span className="path cut faint-text">{folder}</span>
        {state.kind === 'going-on' ? <PauseButton download={download} /> : <ResumeButton download={download} />}
        <CancelButton download={download} />
      </div>
      <Progress
        value={(100 * done) / Math.max(1, total)}
        color={state.kind === 'paused' ? 'gray' : 'blue'}
        aria-label={t('downloads.progress', { name: repository })}
        transitionDuration={0}
      />
      <Text size="xs">
        {shown.kind === 'going-on' ? <Now progress={progress} /> : t('downloads.paused', amounts({ done, total }))}
      </Text>
      {progress?.waiting && (
        <Text size="xs" role="status">
          {message(progress.waiting.reason.code, progress.waiting.reason.params, locale)}{' '}
          {t('downloads.waiting', { time: duration(progress.waiting.seconds) })}
        </Text>
      )}
      {moved && <Text size="xs">{message('hub.moved', moved, locale)}</Text>}
    </Paper>
  );
}

function Now({ progress }: { progress: PullProgress | null }): ReactElement {
  const t = useLabel();
  if (progress === null || progress.stage === 'list') return <>{t('downloads.stage.list')}</>;
  const { stage, bytesPerSecond, remainingSeconds } = progress;
  const words = [
    t(`downloads.stage.${stage}`),
    t('downloads.amounts', amounts(progress)),
    ...(bytesPerSecond === null ? [] : [t('downloads.rate', { rate: bytes(bytesPerSecond) })]),
    ...(remainingSeconds === null ? [] : [t('export.left', { time: duration(remainingSeconds) })]),
  ];
  return <>{words.join(' · ')}</>;
}

function amounts({ done, total }: { done: number; total: number }): { done: string; total: string } {
  return { done: bytes(done), total: bytes(total) };
}

function PauseButton({ download: { id, repository } }: { download: Download }): ReactElement {
  const t = useLabel();
  const { mutate: pause, isPending } = useAct('downloads.pause');
  return (
    <Button
      size="compact-xs"
      variant="default"
      leftSection={<IconPlayerPause size={13} />}
      aria-label={t('app.of', { action: t('downloads.pause'), name: repository })}
      loading={isPending}
      onClick={() => pause({ id })}
    >
      {t('downloads.pause')}
    </Button>
  );
}

function ResumeButton({ download: { id, repository } }: { download: Download }): ReactElement {
  const t = useLabel();
  const { mutate: resume, isPending } = useAct('downloads.resume');
  return (
    <Button
      size="compact-xs"
      variant="default"
      leftSection={<IconPlayerPlay size={13} />}
      aria-label={t('app.of', { action: t('app.resume'), name: repository })}
      loading={isPending}
      onClick={() => resume({ id })}
    >
      {t('app.resume')}
    </Button>
  );
}

function CancelButton({ download: { id, repository, folder } }: { download: Download }): ReactElement {
  const t = useLabel();
  const confirm = useConfirm();
  const { mutate: cancel, isPending } = useAct('downloads.cancel');
  const askFirst = async (): Promise<void> => {
    const yes = await confirm({
      title: t('downloads.cancel-title', { name: repository }),
      text: t('downloads.cancel-text', { folder }),
      yes: t('downloads.cancel'),
      no: t('downloads.keep'),
      danger: true,
    });
    if (yes) cancel({ id });
  };
  return (
    <Button
      size="compact-xs"
      variant="default"
      leftSection={<IconX size={13} />}
      aria-label={t('app.of', { action: t('app.cancel'), name: repository })}
      loading={isPending}
      onClick={() => void askFirst()}
    >
      {t('app.cancel')}
    </Button>
  );
}
