import { Button, Group, Loader, Table } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';

import type { Storage } from '../../../contract/storage.ts';
import { bytes } from '../../../contract/format.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { useAct, useAsk } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import { Section } from '../../components/section.tsx';

/** Where everything lies that Tamis keeps, and how much of it there is. */
export function StorageSection(): ReactElement {
  const t = useLabel();
  const { data, error } = useAsk('storage.list', null);
  return (
    <Section title={t('storage.title')} text={t('storage.text')}>
      {error && <FailureView failure={error} />}
      {!data && !error && <Loader size="sm" aria-label={t('app.loading')} />}
      {data && (
        <Table verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('storage.folder')}</Table.Th>
              <Table.Th scope="col" ta="right">
                {t('storage.size')}
              </Table.Th>
              <Table.Th scope="col" ta="right">
                {t('storage.free')}
              </Table.Th>
              <Table.Th scope="col">{t('models.actions')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.map((storage) => (
              <StorageRow key={storage.kind} storage={storage} />
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Section>
  );
}

function StorageRow({ storage: { kind, path, bytes: size, freeBytes } }: { storage: Storage }): ReactElement {
  const t = useLabel();
  const { mutate: reveal } = useAct('storage.reveal');
  const name = t(`storage.${kind}`);
  return (
    <Table.Tr>
      <Table.Th scope="row">
        {name}
        <div className="path faint-text">{path}</div>
      </Table.Th>
      <Table.Td ta="right" className="nowrap">
        {bytes(size)}
      </Table.Td>
      <Table.Td ta="right" className="nowrap">
        {bytes(freeBytes)}
      </Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap">
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`${t('storage.open')}: ${name}`}
            onClick={() => reveal({ kind })}
          >
            {t('storage.open')}
          </Button>
          {kind === 'runs' && <MoveRuns />}
          {kind === 'cache' && <ClearCache />}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function MoveRuns(): ReactElement {
  const t = useLabel();
  const client = useQueryClient();
  const { mutate: move, isPending } = useAct('storage.move-runs');
  const tell = (moved: boolean): void => {
    if (!moved) return;
    notifications.show({ message: t('storage.moved'), autoClose: 4000 });
    void client.invalidateQueries({ queryKey: ['storage.list'] });
  };
  return (
    <Button size="compact-xs" variant="default" loading={isPending} onClick={() => move(null, { onSuccess: tell })}>
      {t('storage.move')}
    </Button>
  );
}

function ClearCache(): ReactElement {
  const t = useLabel();
  const client = useQueryClient();
  const confirm = useConfirm();
  const { mutate: clear, isPending } = useAct('storage.clear-cache');
  const askFirst = async (): Promise<void> => {
    const yes = await confirm({
      title: t('storage.clear-title'),
      text: t('storage.clear-text'),
      yes: t('storage.clear'),
    });
    if (yes) clear(null, { onSuccess: () => void client.invalidateQueries({ queryKey: ['storage.list'] }) });
  };
  return (
    <Button size="compact-xs" variant="default" loading={isPending} onClick={() => void askFirst()}>
      {t('storage.clear')}
    </Button>
  );
}
