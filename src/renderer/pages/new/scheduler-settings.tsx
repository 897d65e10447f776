import { Title } from '@mantine/core';
import type { ReactElement } from 'react';

import type { SchedulerKind } from '../../../contract/recipe/schedulers.ts';
import { useLabel } from '../../words.tsx';
import { FieldControls } from './field-control.tsx';
import { pathsOf } from './fields.ts';

/** The settings of one kind of scheduler, where it has any. */
export function SchedulerSettings({ kind }: { kind: SchedulerKind }): ReactElement | null {
  const t = useLabel();
  const paths = pathsOf(kind);
  if (paths.length === 0) return null;
  return (
    <div className="scheduler-settings" role="group" aria-label={t(`new.scheduler.${kind}`)}>
      <Title order={3} size="h6">
        {t(`new.scheduler.${kind}`)}
      </Title>
      <div className="field-row">
        <FieldControls paths={paths} />
      </div>
    </div>
  );
}
