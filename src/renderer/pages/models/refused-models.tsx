import { Button } from '@mantine/core';
import { IconMapPin, IconTrash } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import type { Model } from '../../../contract/library.ts';
import { FailureView } from '../../components/failure-view.tsx';
import { useAct } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';

/** Folders that are no model, each with the file and the reason, until they are put right or taken off. */
export function RefusedModels({ models }: { models: readonly Model[] }): ReactElement | null {
  const t = useLabel();
  const { mutate: remove } = useAct('library.remove');
  const { mutate: locate } = useAct('library.locate');
  if (models.length === 0) return null;
  return (
    <div className="refused">
      {models.map(({ id, name, state }) =>
        state.kind !== 'refused' ? null : (
          <FailureView key={id} failure={state.failure} title={t('models.refused-title', { name })}>
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<IconMapPin size={13} />}
              aria-label={t('app.of', { action: t('models.locate'), name })}
              onClick={() => locate({ id })}
            >
              {t('models.locate')}
            </Button>
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<IconTrash size={13} />}
              aria-label={t('app.of', { action: t('models.remove'), name })}
              onClick={() => remove({ id })}
            >
              {t('models.remove')}
            </Button>
          </FailureView>
        ),
      )}
    </div>
  );
}
