import { Paper, Title } from '@mantine/core';
import type { ReactElement } from 'react';

import { bytes, duration, fixed, megabytes, percent } from '../../../contract/format.ts';
import type { Report } from '../../../contract/report.ts';
import { packedSize } from '../../../contract/size.ts';
import { storageWords, totalSeconds } from '../../../contract/words.ts';
import { Facts } from '../../run/facts.tsx';
import { Figure } from '../../run/figure.tsx';
import { useLabel } from '../../words.tsx';

/** What came out, in a few numbers. */
export function ResultCard({ report }: { report: Report }): ReactElement {
  const t = useLabel();
  const { model, sparsity, peakMemoryBytes } = report;
  const packed = packedSize(report);
  return (
    <Paper component="section" withBorder className="pace" aria-label={t('run.result')}>
      <Title order={2} size="h5">
        {t('run.result')}
      </Title>
      <Facts
        rows={[
          { name: t('field.sparsity-target'), text: `${percent(sparsity.target, 2)} %`, figure: 'sparsity.target' },
          { name: t('field.sparsity-actual'), text: `${percent(sparsity.actual, 2)} %`, figure: 'sparsity.actual' },
          {
            name: t('field.blocks'),
            text: (
              <>
                <Figure path="model.blocksCompressed">{model.blocksCompressed}</Figure>
                {' / '}
                <Figure path="model.blocks">{model.blocks}</Figure>
              </>
            ),
          },
          { name: t('field.size-dense'), text: bytes(model.bytes), figure: 'model.bytes' },
          { name: t('field.size'), text: bytes(model.bytesCompressed), figure: 'model.bytesCompressed' },
          ...(packed === null
            ? []
            : [
                { name: t('run.size-packed'), text: bytes(packed.bytes) },
                { name: t('field.bits-weight'), text: fixed(packed.bitsPerWeight, 2) },
              ]),
          ...(report.packedBytes === null
            ? []
            : [{ name: t('field.size-archive'), text: `${megabytes(report.packedBytes)} MB` }]),
          { name: t('field.time'), text: duration(totalSeconds(report)) },
          { name: t('field.memory'), text: bytes(peakMemoryBytes), figure: 'peakMemoryBytes' },
        ]}
      />
      <p className="run-facts-note">{storageWords(report.recipe, t)}</p>
    </Paper>
  );
}
