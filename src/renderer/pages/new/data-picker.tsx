import { ActionIcon, Button, Group, Menu, Text, Tooltip } from '@mantine/core';
import { IconFileText, IconFolder, IconHash, IconPlus, IconX } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { useAct } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import type { DataPurpose } from './corpora.ts';

const purposes = [
  { purpose: 'texts', label: 'new.choose-files', icon: IconFileText },
  { purpose: 'texts-folder', label: 'new.choose-folder', icon: IconFolder },
  { purpose: 'tokens', label: 'new.choose-tokens', icon: IconHash },
] as const;

/** A button that offers every way to choose texts or token ids; `onDemo` where the demo's are not chosen already. */
export function DataPicker(props: {
  id: string;
  label: string;
  onChoose: (purpose: DataPurpose, paths: readonly string[]) => void;
  onDemo: (() => void) | null;
}): ReactElement {
  const { id, label, onChoose, onDemo } = props;
  const t = useLabel();
  const { mutate: choose } = useAct('files.choose');
  return (
    <Group gap="xs">
      <Menu position="bottom-start">
        <Menu.Target>
          <Button id={id} variant="default" leftSection={<IconPlus size={14} />}>
            {label}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {purposes.map(({ purpose, label: key, icon: Icon }) => (
            <Menu.Item
              key={purpose}
              leftSection={<Icon size={16} />}
              onClick={() => choose({ purpose }, { onSuccess: (paths) => onChoose(purpose, paths) })}
            >
              {t(key)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {onDemo && (
        <Button variant="default" onClick={onDemo}>
          {t('new.demo-texts')}
        </Button>
      )}
    </Group>
  );
}

/** One chosen file or folder. */
export function DataItem(props: { name: string; path: string; onRemove: () => void }): ReactElement {
  const { name, path, onRemove } = props;
  const t = useLabel();
  return (
    <Group className="data-item" gap="xs" wrap="nowrap" justify="space-between">
      <div className="cut">
        <Text size="sm" className="cut">
          {name}
        </Text>
        <Tooltip label={path} multiline maw={500}>
          <div className="path cut">{path}</div>
        </Tooltip>
      </div>
      <ActionIcon size="sm" aria-label={t('new.remove-data', { name })} onClick={onRemove}>
        <IconX size={14} />
      </ActionIcon>
    </Group>
  );
}
