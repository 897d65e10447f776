import { Button, Drawer, Group, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useState, type ReactElement, type SubmitEvent } from 'react';

import type { RunRow } from '../../contract/history.ts';
import { useAct } from '../ask/queries.ts';
import { useLabel } from '../words.tsx';

/** Name, notes and tags of a run. */
export function EditDrawer({ row, onClose }: { row: RunRow; onClose: () => void }): ReactElement {
  const t = useLabel();
  const [name, setName] = useState(row.name);
  const [notes, setNotes] = useState(row.notes);
  const [tags, setTags] = useState(row.tags);
  const update = useAct('runs.update');
  const hasName = name.trim() !== '';
  const save = (event: SubmitEvent): void => {
    event.preventDefault();
    if (hasName) update.mutate({ id: row.id, name: name.trim(), notes, tags }, { onSuccess: onClose });
  };
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size={420}
      title={t('history.edit-title')}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <form onSubmit={save}>
        <Stack gap="sm">
          <TextInput
            label={t('run.name')}
            value={name}
            maxLength={200}
            error={!hasName && t('history.name-needed')}
            onChange={(event) => setName(event.currentTarget.value)}
            data-autofocus
          />
          <TagsInput
            label={t('run.tags')}
            value={tags}
            onChange={setTags}
            maxTags={50}
            description={t('history.tags-hint')}
          />
          <Textarea
            label={t('run.notes')}
            value={notes}
            maxLength={10_000}
            autosize
            minRows={5}
            maxRows={16}
            onChange={(event) => setNotes(event.currentTarget.value)}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('app.cancel')}
            </Button>
            <Button type="submit" disabled={!hasName} loading={update.isPending}>
              {t('history.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Drawer>
  );
}
