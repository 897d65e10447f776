import { Alert, Button, Paper, Progress, Text, Title } from '@mantine/core';
import { IconCheck, IconFolder, IconX } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import type { Progress as Done } from '../../../contract/bridge.ts';
import type { ExportOffer } from '../../../contract/exports.ts';
import { bytes, duration } from '../../../contract/format.ts';
import { useAct } from '../../queries.ts';
import { Facts } from '../../run/facts.tsx';
import { useSampled } from '../../run/time.ts';
import { useLabel } from '../../words.tsx';
import { useExport } from './use-export.ts';

/** A format with its size and who loads it; while it is written, how far that is; then where it lies. */
export function FormatCard({ id, offer }: { id: string; offer: ExportOffer }): ReactElement {
  const t = useLabel();
  const { format } = offer;
  const { start, isGoingOn, progress, written } = useExport(id, format);
  const cancel = useAct('exports.cancel');
  return (
    <Paper component="section" withBorder className="export-card" aria-label={t(`export.format.dense`)}>
      <Title order={2} size="h5">
        {t(`export.format.dense`)}
      </Title>
      <Text size="sm">{t(`export.format-text.dense`)}</Text>
      <Facts
        rows={[
          { name: t('export.size'), text: bytes(offer.bytes ?? 0) },
          { name: t('export.loads'), text: t(`export.loads.dense`) },
        ]}
      />
      <div className="export-buttons">
        <Button leftSection={<IconFolder size={16} />} loading={isGoingOn} onClick={start}>
          {t('export.start')}
        </Button>
        {progress && (
          <Button
            variant="default"
            leftSection={<IconX size={16} />}
            loading={cancel.isPending}
            onClick={() => cancel.mutate({ id })}
          >
            {t('app.cancel')}
          </Button>
        )}
      </div>
      {progress && <Writing progress={progress} />}
      {written !== null && <Written id={id} path={written.path} />}
    </Paper>
  );
}

function Writing({ progress }: { progress: Done }): ReactElement {
  const t = useLabel();
  const { done, total, remainingSeconds } = useSampled(progress, 1000);
  return (
    <div>
      <Progress value={(100 * done) / Math.max(1, total)} aria-label={t('export.writing')} transitionDuration={0} />
      <Text size="xs" mt={4}>
        {t('export.written-of', { done: bytes(done), total: bytes(total) })}
        {remainingSeconds !== null && ` · ${t('export.left', { time: duration(remainingSeconds) })}`}
      </Text>
    </div>
  );
}

function Written({ id, path }: { id: string; path: string }): ReactElement {
  const t = useLabel();
  const reveal = useAct('exports.reveal');
  return (
    <Alert color="teal" variant="light" icon={<IconCheck />} title={t('export.done')} role="status">
      <p className="path">{path}</p>
      <Button size="compact-xs" variant="default" onClick={() => reveal.mutate({ id })}>
        {t('app.reveal')}
      </Button>
    </Alert>
  );
}
