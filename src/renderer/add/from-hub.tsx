import { Button, Group, Loader, ScrollArea, Table, Text, TextInput, Title } from '@mantine/core';
import { IconDownload, IconFolder, IconList } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState, type ReactElement } from 'react';

import type { Output } from '../../contract/bridge.ts';
import { TamisError } from '../../contract/errors.ts';
import { bytes } from '../../contract/format.ts';
import { message } from '../../contract/messages/index.ts';
import { ask } from '../ask/bridge.ts';
import { FailureView } from '../components/failure-view.tsx';
import { useAct, useAsk } from '../ask/queries.ts';
import { useLabel, useLocale } from '../words.tsx';

interface Wanted {
  readonly repository: string;
  readonly revision: string;
}

/** An example of a name, the same in every language. */
const example = 'facebook/opt-125m';

const nothing: Wanted = { repository: '', revision: 'main' };

/** A repository of the hub by its name: its files are shown first, with what they need and where they go. */
export function FromHub({ onStarted }: { onStarted: () => void }): ReactElement {
  const t = useLabel();
  const navigate = useNavigate();
  const [wanted, setWanted] = useState(nothing);
  const plan = useMutation({
    mutationFn: () => ask('downloads.plan', { repository: wanted.repository.trim(), revision: wanted.revision.trim() }),
  });
  const { mutate: start, isPending: isStarting } = useAct('downloads.start');
  useEffect(() => () => void ask('downloads.cancel-plan', null), []);
  const change = (changes: Partial<Wanted>): void => {
    setWanted({ ...wanted, ...changes });
    plan.reset();
  };
  const begin = (): void =>
    start(
      { repository: wanted.repository.trim(), revision: wanted.revision.trim() },
      {
        onSuccess: () => {
          onStarted();
          void navigate({ to: '/models' });
        },
      },
    );
  const isComplete = wanted.repository.trim() !== '' && wanted.revision.trim() !== '';
  return (
    <section aria-label={t('add.hub')} className="from-hub">
      <Title order={3} size="h6">
        {t('add.hub')}
      </Title>
      <Text size="xs" c="dimmed">
        {t('add.hub-text')}
      </Text>
      <form
        className="from-hub-fields"
        onSubmit={(event) => {
          event.preventDefault();
          if (isComplete) plan.mutate();
        }}
      >
        <TextInput
          label={t('add.repository')}
          placeholder={example}
          value={wanted.repository}
          spellCheck={false}
          data-autofocus
          onChange={(event) => change({ repository: event.currentTarget.value })}
        />
        <TextInput
          label={t('add.revision')}
          value={wanted.revision}
          spellCheck={false}
          onChange={(event) => change({ revision: event.currentTarget.value })}
        />
        <Button
          type="submit"
          variant="default"
          leftSection={<IconList size={14} />}
          disabled={!isComplete}
          loading={plan.isPending}
        >
          {t('add.show-files')}
        </Button>
      </form>
      <Folder onChanged={plan.reset} />
      {plan.error && !isCancelled(plan.error) && <FailureView failure={plan.error} />}
      {plan.data && <Files planned={plan.data} isStarting={isStarting} onStart={begin} />}
    </section>
  );
}

function isCancelled(error: Error): boolean {
  return error instanceof TamisError && error.code === 'cancelled.no-run';
}

/** The folder that models are fetched into. */
function Folder({ onChanged }: { onChanged: () => void }): ReactElement {
  const t = useLabel();
  const client = useQueryClient();
  const { data: folder } = useAsk('downloads.folder', null);
  const { mutate: choose } = useAct('downloads.choose-folder');
  const changed = (isChanged: boolean): void => {
    if (!isChanged) return;
    onChanged();
    void client.invalidateQueries({ queryKey: ['downloads.folder'] });
  };
  return (
    <Group gap="xs" wrap="nowrap">
      <Button
        size="compact-xs"
        variant="default"
        leftSection={<IconFolder size={13} />}
        onClick={() => choose(null, { onSuccess: changed })}
      >
        {t('add.change-folder')}
      </Button>
      {folder === undefined ? <Loader size={12} /> : <span className="path">{t('add.into', { folder })}</span>}
    </Group>
  );
}

interface FilesProps {
  readonly planned: Output<'downloads.plan'>;
  readonly isStarting: boolean;
  readonly onStart: () => void;
}

function Files({ planned: { folder, plan }, isStarting, onStart }: FilesProps): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const { files, missingBytes, freeBytes, earlier, commit } = plan;
  const fits = missingBytes <= freeBytes;
  const sizes = { missing: bytes(missingBytes), total: bytes(plan.bytes), free: bytes(freeBytes) };
  return (
    <>
      <ScrollArea.Autosize mah={240} type="auto" viewportProps={{ tabIndex: 0, 'aria-label': t('add.files') }}>
        <Table verticalSpacing={3} stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('add.file')}</Table.Th>
              <Table.Th scope="col" ta="right">
                {t('models.size')}
              </Table.Th>
              <Table.Th scope="col" ta="right">
                {t('add.kept')}
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {files.map((file) => (
              <Table.Tr key={file.path}>
                <Table.Td className="mono">{file.path}</Table.Td>
                <Table.Td ta="right">{bytes(file.bytes)}</Table.Td>
                <Table.Td ta="right">{file.kept === 0 ? '–' : bytes(file.kept)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea.Autosize>
      <Text size="xs" c="dimmed">
        {t('add.commit', { commit })}
      </Text>
      {earlier !== null && <Text size="sm">{message('hub.moved', { earlier, commit }, locale)}</Text>}
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" role="status">
          {t(fits ? 'add.needs' : 'add.too-large', { ...sizes, folder })}
        </Text>
        <Button
          className="from-hub-start"
          leftSection={<IconDownload size={14} />}
          loading={isStarting}
          disabled={!fits}
          onClick={onStart}
        >
          {t('add.fetch')}
        </Button>
      </Group>
    </>
  );
}
