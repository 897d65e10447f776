import { Paper, Text, Title } from '@mantine/core';
import type { ReactElement } from 'react';

import { fromGoal } from '../../../contract/goal.ts';
import { megabytes, percent, perplexity } from '../../../contract/format.ts';
import type { AttemptRow } from '../../../contract/history.ts';
import type { Goal } from '../../../contract/recipe.ts';
import { goalWords } from '../../../contract/words.ts';
import { LinkAnchor } from '../../components/links.tsx';
import { StateBadge } from '../../run/state-badge.tsx';
import { useLabel } from '../../words.tsx';
import type { ShownRun } from './run.ts';

/** The runs that search for the same goal, this one among them, and which of them fits; nothing of a run without a goal. */
export function AttemptsCard({ row, recipe, attempts }: ShownRun): ReactElement | null {
  const t = useLabel();
  const { fit } = recipe;
  if (fit === null || attempts.length === 0) return null;
  return (
    <Paper component="section" withBorder className="chart-card" aria-label={t('run.attempts')}>
      <Title order={2} size="h5" mb={4}>
        {t('run.attempts')}
      </Title>
      <Text size="xs" c="dimmed">
        {goalWords(fit, recipe, t)}
      </Text>
      <table className="small-table">
        <thead>
          <tr>
            <th scope="col">{t('run.name')}</th>
            <th scope="col">{t('field.sparsity-target')}</th>
            {recipe.quantization && <th scope="col">{t('history.bits')}</th>}
            <th scope="col">{t(fit.kind === 'size' ? 'field.size-archive' : 'measure.perplexity')}</th>
            <th scope="col">{t('run.from-goal')}</th>
            <th scope="col">{t('history.state')}</th>
          </tr>
        </thead>
        <tbody>
          {attempts.map((attempt) => (
            <tr key={attempt.id} data-chosen={attempt.fits || undefined}>
              <td>
                {attempt.id === row.id ? (
                  attempt.name
                ) : (
                  <LinkAnchor to="/runs/$id" params={{ id: attempt.id }} inherit>
                    {attempt.name}
                  </LinkAnchor>
                )}
              </td>
              <td>{attempt.sparsity === null ? '–' : `${percent(attempt.sparsity, 2)} %`}</td>
              {recipe.quantization && <td>{attempt.bits ?? '–'}</td>}
              <Value fit={fit} attempt={attempt} />
              <td>{attempt.fits ? t('run.fits') : <StateBadge state={attempt.state} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Paper>
  );
}

/** What it came to, and how far that is from the goal. */
function Value({ fit, attempt: { value } }: { fit: Goal; attempt: AttemptRow }): ReactElement {
  if (value === null)
    return (
      <>
        <td>–</td>
        <td>–</td>
      </>
    );
  return (
    <>
      <td>{fit.kind === 'size' ? `${megabytes(value)} MB` : perplexity(value)}</td>
      <td>{fromGoal(fit, value)}</td>
    </>
  );
}
