import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { createContext, use, useCallback, useState, type ReactElement, type ReactNode } from 'react';

import { useLabel } from '../words.tsx';

export interface Question {
  readonly title: string;
  readonly text: ReactNode;
  /** What the button says that does it. */
  readonly yes: string;
  /** What the other button says. */
  readonly no?: string;
  readonly danger?: true;
}

type Confirm = (question: Question) => Promise<boolean>;

const ConfirmContext = createContext<Confirm>(() => Promise.resolve(false));

/** Asks a question in a dialog and waits for the answer; closing the dialog is a no. */
export function useConfirm(): Confirm {
  return use(ConfirmContext);
}

interface Asked extends Question {
  readonly answer: (yes: boolean) => void;
}

export function ConfirmProvider({ children }: { children: ReactNode }): ReactElement {
  const t = useLabel();
  const [asked, setAsked] = useState<Asked | null>(null);
  const [opened, setOpened] = useState(false);
  const confirm = useCallback<Confirm>(
    (question) =>
      new Promise((resolve) => {
        setAsked({ ...question, answer: resolve });
        setOpened(true);
      }),
    [],
  );
  const close = (yes: boolean): void => {
    asked?.answer(yes);
    setOpened(false);
  };
  return (
    <ConfirmContext value={confirm}>
      {children}
      <Modal
        opened={opened}
        onClose={() => close(false)}
        title={asked?.title}
        closeButtonProps={{ 'aria-label': t('app.close') }}
        centered
      >
        <Stack gap="md">
          <Text size="sm" component="div">
            {asked?.text}
          </Text>
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={() => close(false)} data-autofocus>
              {asked?.no ?? t('app.cancel')}
            </Button>
            <Button {...(asked?.danger && { color: 'red' })} onClick={() => close(true)}>
              {asked?.yes}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </ConfirmContext>
  );
}
