import { Alert, Button, Group, Stack } from '@mantine/core';
import { IconAlertTriangle, IconInfoCircle, IconPlayerPlay } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState, type ReactElement } from 'react';

import type { Boot } from '../../contract/bridge.ts';
import { message } from '../../contract/messages/index.ts';
import { useBoot } from '../boot.tsx';
import { LinkAnchor } from '../components/links.tsx';
import { useAct, usePush } from '../ask/queries.ts';
import { useLabel, useLocale } from '../words.tsx';

const colours = { info: 'blue', warning: 'yellow', error: 'red' } as const;

/** What the person should know and did not ask for: on top of every page until it is closed. */
export function Notices(): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const client = useQueryClient();
  const { notices } = useBoot();
  const { mutate: close } = useAct('app.close-notice');
  const change = (next: (before: Boot['notices']) => Boot['notices']): void => {
    client.setQueryData<Boot>(['app.boot', null], (boot) => boot && { ...boot, notices: next(boot.notices) });
  };
  usePush('notice', (notice) => change((before) => [...before.filter(({ id }) => id !== notice.id), notice]));
  return (
    <>
      {notices.map(({ id, kind, code, params }) => (
        <Alert
          key={id}
          color={colours[kind]}
          role={kind === 'info' ? 'status' : 'alert'}
          icon={kind === 'info' ? <IconInfoCircle /> : <IconAlertTriangle />}
          withCloseButton
          closeButtonLabel={t('app.close')}
          onClose={() => {
            close({ id });
            change((before) => before.filter((one) => one.id !== id));
          }}
        >
          {message(code, params, locale)}
        </Alert>
      ))}
    </>
  );
}

/** Runs that ended with the application or by accident, offered for resumption once after the start. */
export function Interrupted(): ReactElement | null {
  const t = useLabel();
  const { interrupted } = useBoot();
  const [done, setDone] = useState<readonly string[]>([]);
  const navigate = useNavigate();
  const { mutate: resume } = useAct('runs.resume');
  const left = interrupted.filter(({ id }) => !done.includes(id));
  if (left.length === 0) return null;
  return (
    <Alert
      color="yellow"
      icon={<IconAlertTriangle />}
      title={t('app.interrupted')}
      withCloseButton
      closeButtonLabel={t('app.close')}
      onClose={() => setDone(interrupted.map(({ id }) => id))}
    >
      <Stack gap={4}>
        {left.map(({ id, name, modelName }) => (
          <Group key={id} gap="xs">
            <Button
              size="compact-xs"
              leftSection={<IconPlayerPlay size={13} />}
              aria-label={t('app.of', { action: t('app.resume'), name })}
              onClick={() =>
                resume(
                  { id },
                  {
                    onSuccess: () => {
                      setDone([...done, id]);
                      void navigate({ to: '/runs/$id', params: { id } });
                    },
                  },
                )
              }
            >
              {t('app.resume')}
            </Button>
            <LinkAnchor to="/runs/$id" params={{ id }} size="sm" c="inherit" underline="always">
              {name}
            </LinkAnchor>
            <span>{modelName}</span>
          </Group>
        ))}
      </Stack>
    </Alert>
  );
}
