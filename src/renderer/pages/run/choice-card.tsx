import { Paper, Text, Title } from '@mantine/core';
import type { ReactElement } from 'react';

import { fixed, perplexity, percent, significant } from '../../../contract/format.ts';
import type { Choice } from '../../../contract/report.ts';
import { verdictWords } from '../../../contract/words.ts';
import { Figure } from '../../run/figure.tsx';
import { useLabel } from '../../words.tsx';

/** The schedules that `auto` tried, and which was taken; nothing of other schedulers, and before it has chosen. */
export function ChoiceCard({ choice, inReport }: { choice: Choice | null; inReport: boolean }): ReactElement | null {
  const t = useLabel();
  if (choice === null) return null;
  const { sequences, heldBack, seqlen, candidates, margin, chosen } = choice;
  return (
    <Paper component="section" withBorder className="chart-card" aria-label={t('report.choice')}>
      <Title order={2} size="h5" mb={4}>
        {t('report.choice')}
      </Title>
      <Text size="xs" c="dimmed">
        {t('text.choice', { sequences, heldBack, seqlen })}
      </Text>
      <table className="small-table">
        <thead>
          <tr>
            <th scope="col">{t('field.schedule')}</th>
            <th scope="col">{t('field.allocate-range')}</th>
            <th scope="col">{t('field.targets')}</th>
            <th scope="col">{t('field.perplexity-held-back')}</th>
            <th scope="col">{t('field.difference-uniform')}</th>
            <th scope="col">{t('field.choice')}</th>
          </tr>
        </thead>
        <tbody>
          {candidates.map(({ scheduler, range, targets, perplexity: measured, difference }, i) => {
            const figure = (field: string): string | null => (inReport ? `choice.candidates.${i}.${field}` : null);
            return (
              <tr key={i} data-chosen={i === chosen || undefined}>
                <td>{scheduler}</td>
                <td>{range === null ? '–' : <Figure path={figure('range')}>{percent(range, 0)}</Figure>}</td>
                <td>{t(`text.choice-targets.${targets}`)}</td>
                <td>{measured === null ? '–' : <Figure path={figure('perplexity')}>{perplexity(measured)}</Figure>}</td>
                <td>
                  {difference === null ? (
                    '–'
                  ) : (
                    <>
                      <Figure path={figure('difference.mean')}>{significant(difference.mean, 3)}</Figure>
                      {' ± '}
                      <Figure path={figure('difference.standardError')}>
                        {significant(difference.standardError, 2)}
                      </Figure>
                    </>
                  )}
                </td>
                <td>{verdictWords(choice, i, t)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {margin !== null && (
        <Text size="xs" c="dimmed">
          {t('text.choice-margin', { margin: fixed(margin, 2) })}
        </Text>
      )}
    </Paper>
  );
}
