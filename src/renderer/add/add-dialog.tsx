import { Button, Divider, Modal, Stack, Text, Title } from '@mantine/core';
import { IconFolderPlus } from '@tabler/icons-react';
import { createContext, use, type ReactElement } from 'react';

import { useLabel } from '../words.tsx';
import { useAddModels } from './add-models.ts';
import { FromHub } from './from-hub.tsx';

export const AddDialogContext = createContext<() => void>(() => undefined);

/** Opens the dialog that adds a model. */
export function useAddDialog(): () => void {
  return use(AddDialogContext);
}

/** A model from a folder of this computer, or from the hub. */
export function AddDialog({ opened, onClose }: { opened: boolean; onClose: () => void }): ReactElement {
  const t = useLabel();
  const { choose } = useAddModels();
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('app.add-model')}
      closeButtonProps={{ 'aria-label': t('app.close') }}
      size={720}
      centered
    >
      <Stack gap="md">
        <section aria-label={t('add.folder')}>
          <Title order={3} size="h6">
            {t('add.folder')}
          </Title>
          <Text size="xs" c="dimmed" mb={6}>
            {t('add.folder-text')}
          </Text>
          <Button
            variant="default"
            leftSection={<IconFolderPlus size={14} />}
            onClick={() => {
              onClose();
              choose();
            }}
          >
            {t('add.choose-folder')}
          </Button>
        </section>
        <Divider />
        <FromHub onStarted={onClose} />
      </Stack>
    </Modal>
  );
}
