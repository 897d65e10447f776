import { ActionIcon, Button, Menu } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDots, IconFolderOpen, IconList, IconMapPin, IconTrash } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import type { Model } from '../../../contract/library.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { useAct } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';

/** Takes a model off the list, after a question that says that its files stay. */
export function useRemoveModel(): (model: Model) => Promise<void> {
  const t = useLabel();
  const confirm = useConfirm();
  const { mutateAsync: remove } = useAct('library.remove');
  return async ({ id, name, path }) => {
    const yes = await confirm({
      title: t('models.remove-title', { name }),
      text: t('models.remove-text', { path }),
      yes: t('models.remove'),
    });
    if (!yes) return;
    // A refusal has been shown.
    await remove({ id }).then(
      () => notifications.show({ message: t('models.removed', { name }), autoClose: 4000 }),
      () => undefined,
    );
  };
}

/** Asks where the folder is now. */
export function LocateButton({ model: { id, name } }: { model: Model }): ReactElement {
  const t = useLabel();
  const { mutate: locate, isPending } = useAct('library.locate');
  return (
    <Button
      size="compact-sm"
      variant="default"
      leftSection={<IconMapPin size={13} />}
      aria-label={t('app.of', { action: t('models.locate'), name })}
      loading={isPending}
      onClick={() => locate({ id })}
    >
      {t('models.locate')}
    </Button>
  );
}

/** Everything else that can be done with a model. */
export function ModelMenu({ model }: { model: Model }): ReactElement {
  const t = useLabel();
  const navigate = useNavigate();
  const remove = useRemoveModel();
  const { mutate: reveal } = useAct('library.reveal');
  const { mutate: locate } = useAct('library.locate');
  const { id, name, state, demo } = model;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon aria-label={t('models.more-of', { name })}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {state.kind === 'ready' && (
          <Menu.Item
            leftSection={<IconList size={16} />}
            onClick={() => void navigate({ to: '/models/$id', params: { id } })}
          >
            {t('models.tensors')}
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<IconFolderOpen size={16} />}
          disabled={state.kind === 'missing'}
          onClick={() => reveal({ id })}
        >
          {t('app.reveal')}
        </Menu.Item>
        {!demo && (
          <>
            <Menu.Item leftSection={<IconMapPin size={16} />} onClick={() => locate({ id })}>
              {t('models.locate')}
            </Menu.Item>
            <Menu.Divider />
            <Menu.Item leftSection={<IconTrash size={16} />} onClick={() => void remove(model)}>
              {t('models.remove')}
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
