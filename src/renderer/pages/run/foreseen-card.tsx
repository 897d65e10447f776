import { Paper, Text, Title } from '@mantine/core';
import type { ReactElement } from 'react';

import { fixed, percent } from '../../../contract/format.ts';
import type { Target } from '../../../contract/report.ts';
import { Figure } from '../../run/figure.tsx';
import { useLabel } from '../../words.tsx';

/** The bits that a size left to choose from, and which were taken; nothing where the run did not choose. */
export function ForeseenCard(props: { target: Target | null; inReport: boolean }): ReactElement | null {
  const { target, inReport } = props;
  const t = useLabel();
  if (target === null || target.foreseen.length === 0) return null;
  return (
    <Paper component="section" withBorder className="chart-card" aria-label={t('report.foreseen')}>
      <Title order={2} size="h5" mb={4}>
        {t('report.foreseen')}
      </Title>
      <Text size="xs" c="dimmed">
        {t('text.foreseen')}
      </Text>
      <table className="small-table">
        <thead>
          <tr>
            <th scope="col">{t('field.foreseen-bits')}</th>
            <th scope="col">{t('field.foreseen-sparsity')}</th>
            <th scope="col">{t('field.foreseen-rise')}</th>
            <th scope="col">{t('field.choice')}</th>
          </tr>
        </thead>
        <tbody>
          {target.foreseen.map(({ bits, sparsity, rise }, i) => {
            const figure = (field: string): string | null => (inReport ? `target.foreseen.${i}.${field}` : null);
            const isTaken = bits === target.bits;
            return (
              <tr key={bits} data-chosen={isTaken || undefined}>
                <td>{bits}</td>
                <td>
                  <Figure path={figure('sparsity')}>{percent(sparsity, 2)}</Figure>
                </td>
                <td>
                  <Figure path={figure('rise')}>{fixed(rise, 3)}</Figure>
                </td>
                <td>{isTaken ? t('text.choice-taken') : ''}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Paper>
  );
}
