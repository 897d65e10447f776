import { Button, Paper, Progress, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconBan, IconDownload, IconX } from '@tabler/icons-react';
import { useId, type ReactElement } from 'react';

import type { ExportOffer } from '../../../contract/exports.ts';
import { bytes, duration, percent } from '../../../contract/format.ts';
import { useAct } from '../../ask/queries.ts';
import { sentenceOf } from '../../run/sentence.ts';
import { useSampled } from '../../run/time.ts';
import { useLabel, useLocale } from '../../words.tsx';
import type { ExportProgress } from './use-export.ts';
import { Written, type WrittenProps } from './written.tsx';

interface FormatRowProps extends Pick<WrittenProps, 'id' | 'report'> {
  readonly offer: ExportOffer;
  /** Bytes of the dense folder. */
  readonly denseBytes: number;
  readonly written: WrittenProps['result'] | null;
  readonly isGoingOn: boolean;
  readonly progress: ExportProgress | null;
  /** Why it cannot be written now, in words; null = it can. */
  readonly reason: string | null;
  /** A dialog follows: no destination is chosen. */
  readonly asks: boolean;
  readonly onStart: () => void;
}

/** A format: what it is, who loads it, how large it comes out; while it is written, how far that is; then what came out. */
export function FormatRow(props: FormatRowProps): ReactElement {
  const { id, report, offer, denseBytes, written, isGoingOn, progress, reason, asks, onStart } = props;
  const t = useLabel();
  const reasonId = useId();
  const { format } = offer;
  const name = t(`export.format.${format}`);
  return (
    <Paper component="section" withBorder className="format-row" aria-label={name} data-fits={offer.refusal === null}>
      <div className="format-words">
        <Title order={3} size="h6">
          {name}
        </Title>
        <p>{t(`export.format-text.${format}`)}</p>
        <p className="faint-text">{t('export.loads', { clients: t(`export.loads.${format}`) })}</p>
      </div>
      <Size offer={offer} denseBytes={denseBytes} />
      <div className="format-action">
        {offer.refusal === null && (
          <Button
            variant="default"
            leftSection={<IconDownload size={16} />}
            aria-label={t('export.start-of', { format: name })}
            aria-describedby={reason === null ? undefined : reasonId}
            disabled={reason !== null}
            loading={isGoingOn}
            onClick={onStart}
          >
            {asks ? `${t('export.start')} …` : t('export.start')}
          </Button>
        )}
        {reason !== null && !isGoingOn && (
          <Text size="xs" c="dimmed" id={reasonId}>
            {reason}
          </Text>
        )}
      </div>
      <Remarks offer={offer} />
      {isGoingOn && progress && <Writing id={id} {...progress} />}
      {written !== null && !isGoingOn && <Written id={id} result={written} report={report} />}
    </Paper>
  );
}

function Size({ offer, denseBytes }: Pick<FormatRowProps, 'offer' | 'denseBytes'>): ReactElement {
  const t = useLabel();
  const { format, bytes: size, refusal } = offer;
  if (refusal !== null || size === null) return <div className="format-size">–</div>;
  const share = size / Math.max(1, denseBytes);
  return (
    <div className="format-size">
      <span>
        {format === 'tamis' && <small>{t('export.size-at-most')} </small>}
        <b>{bytes(size)}</b>
      </span>
      {/* The picture of the number below it. */}
      <span className="format-bar" aria-hidden="true">
        <span style={{ width: `${Math.min(100, 100 * share)}%` }} />
      </span>
      {format !== 'dense' && <small>{t('export.size-of-dense', { share: percent(share, 1) })}</small>}
    </div>
  );
}

/** Why it does not fit, or what those who load it should know. */
function Remarks({ offer: { refusal, warnings } }: { offer: ExportOffer }): ReactElement | null {
  const t = useLabel();
  const locale = useLocale();
  if (refusal !== null) {
    return (
      <p className="format-remark">
        <IconBan size={16} aria-hidden="true" />
        <span>
          <b>{t('export.no-fit')}</b> {sentenceOf(refusal, locale)}
        </span>
      </p>
    );
  }
  return (
    <>
      {warnings.map((warning, i) => (
        <p key={i} className="format-remark" data-warning>
          <IconAlertTriangle size={16} aria-hidden="true" />
          <span>{sentenceOf(warning, locale)}</span>
        </p>
      ))}
    </>
  );
}

function Writing({ id, stage, progress }: ExportProgress & { id: string }): ReactElement {
  const t = useLabel();
  const cancel = useAct('exports.cancel');
  const { done, total, remainingSeconds } = useSampled(progress, 1000);
  const words = [
    t(`export.stage.${stage}`),
    ...(stage === 'write' ? [t('export.written-of', { done: bytes(done), total: bytes(total) })] : []),
    ...(remainingSeconds === null ? [] : [t('export.left', { time: duration(remainingSeconds) })]),
  ];
  return (
    <div className="format-writing">
      <Progress
        value={(100 * done) / Math.max(1, total)}
        aria-label={t(`export.stage.${stage}`)}
        transitionDuration={0}
      />
      <Text size="xs">{words.join(' · ')}</Text>
      <Button
        size="compact-xs"
        variant="default"
        leftSection={<IconX size={14} />}
        loading={cancel.isPending}
        onClick={() => cancel.mutate({ id })}
      >
        {t('app.cancel')}
      </Button>
    </div>
  );
}
