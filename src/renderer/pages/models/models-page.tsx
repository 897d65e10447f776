import { Button } from '@mantine/core';
import { IconCube, IconFolderPlus } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useMemo, type ReactElement } from 'react';

import type { Model } from '../../../contract/library.ts';
import { useAddDialog } from '../../add/add-dialog.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useAsk } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import { Downloads } from './downloads.tsx';
import { modelColumns } from './model-columns.tsx';
import { RefusedModels } from './refused-models.tsx';

const none: readonly Model[] = [];
const keyOf = ({ id }: Model): string => id;

/** The library. */
export function ModelsPage(): ReactElement {
  const t = useLabel();
  const navigate = useNavigate();
  const add = useAddDialog();
  const { data: models = none, error, isPending } = useAsk('library.list', null);
  const columns = useMemo(() => modelColumns(t), [t]);
  const [usable, refused] = useMemo(
    () => [
      models.filter(({ state }) => state.kind !== 'refused'),
      models.filter(({ state }) => state.kind === 'refused'),
    ],
    [models],
  );
  return (
    <>
      <PageHeader title={t('models.title')} detail={t('models.text')}>
        <Button leftSection={<IconFolderPlus size={14} />} onClick={add}>
          {t('app.add-model')}
        </Button>
      </PageHeader>
      <div className="page-fill">
        {error && <FailureView failure={error} />}
        <Downloads />
        <RefusedModels models={refused} />
        {!isPending && (
          <DataTable
            label={t('models.title')}
            columns={columns}
            rows={usable}
            keyOf={keyOf}
            rowHeight={46}
            onOpen={({ id }) => void navigate({ to: '/models/$id', params: { id } })}
            empty={
              <EmptyState icon={<IconCube size={40} />} title={t('models.none')} text={t('models.none-text')}>
                <Button onClick={add}>{t('app.add-model')}</Button>
              </EmptyState>
            }
          />
        )}
      </div>
    </>
  );
}
