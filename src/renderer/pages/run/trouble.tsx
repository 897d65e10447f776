import { Alert, Button, Text } from '@mantine/core';
import { IconAlertTriangle, IconClipboard, IconPlayerPlay } from '@tabler/icons-react';
import { memo, type ReactElement } from 'react';

import { resumable, type RunRow } from '../../../contract/history.ts';
import type { RunView } from '../../run/run-view.ts';
import { FailureView } from '../../components/failure-view.tsx';
import { useRunControl } from '../../run/run-actions.ts';
import { sentenceOf } from '../../run/sentence.ts';
import { useLabel, useLocale } from '../../words.tsx';
import { useCopyDiagnostics } from './diagnostics.ts';

/** Stays on top as long as the run is looked at. */
export const RunWarnings = memo(function RunWarnings({
  warnings,
}: {
  warnings: RunView['warnings'];
}): ReactElement | null {
  const t = useLabel();
  const locale = useLocale();
  if (warnings.length === 0) return null;
  return (
    <Alert
      color="yellow"
      variant="light"
      icon={<IconAlertTriangle />}
      title={t('run.warnings', { warnings: warnings.length })}
      className="run-warnings"
    >
      <ul>
        {warnings.map((warning, i) => (
          <li key={i}>{sentenceOf(warning, locale)}</li>
        ))}
      </ul>
    </Alert>
  );
});

/** Why a run did not finish, how far it came, and what can be done. */
export function RunFailure({ row, view }: { row: RunRow; view: RunView }): ReactElement | null {
  const t = useLabel();
  const { pending, resume } = useRunControl(row);
  const copyDiagnostics = useCopyDiagnostics(row.id);
  if (row.failure === null) return null;
  return (
    <FailureView failure={row.failure} title={t(`state.${row.state}`)}>
      <Text size="sm" w="100%">
        {view.blocks === null ? t('run.no-blocks-done') : t('run.blocks-done', { ...view.blocks })}
      </Text>
      {resumable.includes(row.state) && (
        <Button
          size="compact-xs"
          leftSection={<IconPlayerPlay size={14} />}
          loading={pending === 'resume'}
          onClick={resume}
        >
          {t('app.resume')}
        </Button>
      )}
      <Button size="compact-xs" variant="default" leftSection={<IconClipboard size={14} />} onClick={copyDiagnostics}>
        {t('run.copy-diagnostics')}
      </Button>
    </FailureView>
  );
}
