import {
  IconCube,
  IconFileImport,
  IconFolderPlus,
  IconHelp,
  IconHistory,
  IconPlayerPlay,
  IconSearch,
  IconSettings,
} from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import type { ComponentType } from 'react';

import type { LabelKey } from '../../contract/messages/labels.ts';
import { usePush } from '../ask/queries.ts';
import { useImportRun } from '../run/run-actions.ts';

/** Something that can be done from everywhere. */
export interface Command {
  readonly id: 'models' | 'new-run' | 'history' | 'settings' | 'add-model' | 'import-run' | 'spotlight' | 'help';
  readonly label: LabelKey;
  readonly icon: ComponentType<{ size?: number | string }>;
  /** As Mantine writes shortcuts: `mod+N`; mod is Ctrl, on a Mac ⌘. */
  readonly keys: string;
  readonly run: () => void;
}

/** All commands; the application's menu asks for some of them by a push. */
export function useCommands({ help, search, add }: Record<'help' | 'search' | 'add', () => void>): readonly Command[] {
  const navigate = useNavigate();
  const { importRun } = useImportRun();
  const commands: readonly Command[] = [
    { id: 'models', label: 'models.title', icon: IconCube, keys: 'mod+1', run: () => void navigate({ to: '/models' }) },
    {
      id: 'history',
      label: 'app.history',
      icon: IconHistory,
      keys: 'mod+2',
      run: () => void navigate({ to: '/history' }),
    },
    {
      id: 'new-run',
      label: 'app.new-run',
      icon: IconPlayerPlay,
      keys: 'mod+N',
      run: () => void navigate({ to: '/new' }),
    },
    { id: 'add-model', label: 'app.add-model', icon: IconFolderPlus, keys: 'mod+O', run: add },
    {
      id: 'import-run',
      label: 'app.import-run',
      icon: IconFileImport,
      keys: 'mod+I',
      run: importRun,
    },
    {
      id: 'settings',
      label: 'settings.title',
      icon: IconSettings,
      keys: 'mod+,',
      run: () => void navigate({ to: '/settings' }),
    },
    { id: 'spotlight', label: 'app.search', icon: IconSearch, keys: 'mod+K', run: search },
    { id: 'help', label: 'app.shortcuts', icon: IconHelp, keys: '?', run: help },
  ];
  usePush('command', ({ name }) => commands.find(({ id }) => id === name)?.run());
  usePush('navigate', ({ to }) => void navigate({ href: to }));
  return commands;
}
