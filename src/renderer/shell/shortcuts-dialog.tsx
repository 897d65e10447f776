import { Kbd, Modal, Table, Text } from '@mantine/core';
import type { ReactElement } from 'react';

import type { LabelKey } from '../../contract/messages/labels.ts';
import { useBoot } from '../boot.tsx';
import { useLabel } from '../words.tsx';
import type { Command } from './commands.tsx';
import { writeKeys } from './keys.ts';

/** Keys that a part of a page answers to. */
const local: readonly { keys: readonly string[]; label: LabelKey }[] = [
  { keys: ['mod+Enter'], label: 'shortcuts.start' },
  { keys: ['↑', '↓', 'Home', 'End'], label: 'shortcuts.move' },
  { keys: ['Enter'], label: 'shortcuts.open' },
  { keys: ['Space'], label: 'shortcuts.select' },
  { keys: ['Tab'], label: 'shortcuts.tab' },
];

export function ShortcutsDialog(props: {
  opened: boolean;
  onClose: () => void;
  commands: readonly Command[];
}): ReactElement {
  const { opened, onClose, commands } = props;
  const t = useLabel();
  const { platform } = useBoot();
  const rows = [...commands.map(({ keys, label }) => ({ keys: [keys], label })), ...local];
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('app.shortcuts')}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <Table withRowBorders={false} verticalSpacing={4}>
        <Table.Tbody>
          {rows.map(({ keys, label }) => (
            <Table.Tr key={label}>
              <Table.Th scope="row" fw={400}>
                <Text size="sm">{t(label)}</Text>
              </Table.Th>
              <Table.Td ta="right">
                {keys.map((each) => (
                  <Kbd key={each} size="xs" ml={4}>
                    {writeKeys(each, platform)}
                  </Kbd>
                ))}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
