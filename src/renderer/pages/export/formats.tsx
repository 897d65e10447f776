import { Button, Checkbox, Loader, Paper, Text, Title } from '@mantine/core';
import { IconFolder } from '@tabler/icons-react';
import { useState, type ReactElement } from 'react';

import type { ExportOffer } from '../../../contract/exports.ts';
import { bytes } from '../../../contract/format.ts';
import { mainNames } from '../../../contract/measures.ts';
import type { Report } from '../../../contract/report.ts';
import { FailureView } from '../../components/failure-view.tsx';
import { useAsk } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import { FormatRow } from './format-row.tsx';
import { useDestination, type Destination } from './use-destination.ts';
import { useExports } from './use-export.ts';

/** Where a finished run is exported to, and every format beside it: those that fit first. */
export function Formats({ id, report }: { id: string; report: Report }): ReactElement {
  const t = useLabel();
  const { data: offers, error } = useAsk('exports.offers', { id });
  const destination = useDestination();
  const canCheck = report.recipe.evaluation.datasets.length > 0;
  const [checks, setChecks] = useState(canCheck && report.recipe.quantization !== null);
  const { start, goingOn, progress, written } = useExports(id);
  if (error) return <FailureView failure={error} />;
  if (!offers) return <Loader className="page-loader" />;
  const denseBytes = offers.find(({ format }) => format === 'dense')?.bytes ?? 0;
  const ordered = offers.toSorted((a, b) => Number(a.refusal !== null) - Number(b.refusal !== null));
  const begin = ({ format }: ExportOffer): void => {
    const into = (folder: string): void => start({ format, folder, check: checks });
    if (destination.folder === null) destination.choose(into);
    else into(destination.folder);
  };
  const reasonOf = ({ format, bytes: size, refusal }: ExportOffer): string | null => {
    if (refusal !== null) return null;
    if (goingOn !== null)
      return goingOn === format ? null : t('export.busy', { format: t(`export.format.${goingOn}`) });
    const { freeBytes } = destination;
    if (size === null || freeBytes === null || size <= freeBytes) return null;
    return t('export.too-large', { needed: bytes(size), free: bytes(freeBytes) });
  };
  return (
    <div className="export-formats">
      <Paper component="section" withBorder className="export-card" aria-label={t('export.destination')}>
        <Title order={2} size="h5">
          {t('export.destination')}
        </Title>
        <DestinationLine destination={destination} />
        <Checkbox
          mt="sm"
          label={t('export.check')}
          description={
            canCheck ? t('export.check-text', { measures: mainNames(t, 'in-text') }) : t('export.check-none')
          }
          checked={checks}
          disabled={!canCheck}
          onChange={(event) => setChecks(event.currentTarget.checked)}
        />
      </Paper>
      <section className="export-list" aria-label={t('export.formats')}>
        <Title order={2} size="h5">
          {t('export.formats')}
        </Title>
        <Text size="xs" c="dimmed">
          {t('export.formats-text')}
        </Text>
        {ordered.map((offer) => (
          <FormatRow
            key={offer.format}
            id={id}
            report={report}
            offer={offer}
            denseBytes={denseBytes}
            written={written.get(offer.format) ?? null}
            isGoingOn={goingOn === offer.format}
            progress={progress}
            reason={reasonOf(offer)}
            asks={destination.folder === null}
            onStart={() => begin(offer)}
          />
        ))}
      </section>
    </div>
  );
}

function DestinationLine({ destination }: { destination: Destination }): ReactElement {
  const t = useLabel();
  const { folder, freeBytes, choose } = destination;
  return (
    <div className="export-destination">
      <Button variant="default" leftSection={<IconFolder size={16} />} onClick={() => choose()}>
        {t(folder === null ? 'export.choose' : 'export.change')}
      </Button>
      <div>
        {folder !== null && <div className="path">{folder}</div>}
        <Text size="xs" c="dimmed">
          {folder !== null && freeBytes !== null && `${t('export.free', { free: bytes(freeBytes) })} · `}
          {t('export.destination-text')}
        </Text>
      </div>
    </div>
  );
}
