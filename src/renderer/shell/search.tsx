import { Spotlight } from '@mantine/spotlight';
import { IconChartDots, IconCube, IconPlayerPlay, IconSearch } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useState, type ReactElement, type ReactNode } from 'react';

import { newestRuns } from '../../contract/history.ts';
import { useAsk } from '../ask/queries.ts';
import { useLabel } from '../words.tsx';
import type { Command } from './commands.tsx';
import { writeKeys } from './keys.ts';
import { useBoot } from '../boot.tsx';

/** What is found under one heading. */
interface ActionGroup {
  readonly group: string;
  readonly actions: {
    readonly id: string;
    readonly label: string;
    readonly description?: string;
    readonly leftSection: ReactNode;
    readonly rightSection?: ReactNode;
    readonly onClick: () => void;
  }[];
}

/** Ctrl+K: every page and command, the models, the newest runs. */
export function Search({ commands }: { commands: readonly Command[] }): ReactElement {
  const t = useLabel();
  const { platform } = useBoot();
  const [opened, setOpened] = useState(false);
  const found = useFound(opened);
  const actions: ActionGroup[] = [
    {
      group: t('search.commands'),
      actions: commands
        .filter(({ id }) => id !== 'spotlight')
        .map(({ id, label, icon: Icon, keys, run }) => ({
          id,
          label: t(label),
          leftSection: <Icon size={18} />,
          rightSection: <span className="keys">{writeKeys(keys, platform)}</span>,
          onClick: run,
        })),
    },
    ...found,
  ];
  return (
    <Spotlight
      actions={actions}
      shortcut="mod + K"
      title={t('app.search')}
      classNames={{ header: 'unseen' }}
      limit={60}
      highlightQuery
      scrollable
      maxHeight={420}
      nothingFound={t('search.nothing')}
      onSpotlightOpen={() => setOpened(true)}
      searchProps={{
        leftSection: <IconSearch size={18} />,
        placeholder: t('search.placeholder'),
        'aria-label': t('search.placeholder'),
      }}
    />
  );
}

/** Models and runs, asked for when the search is opened first. */
function useFound(enabled: boolean): ActionGroup[] {
  const t = useLabel();
  const navigate = useNavigate();
  const { data: models = [] } = useAsk('library.list', null, { enabled });
  const { data: runs } = useAsk('runs.list', { ...newestRuns, limit: 30 }, { enabled });
  return [
    {
      group: t('models.title'),
      actions: models.flatMap(({ id, name, path, state }) => [
        {
          id: `model ${id}`,
          label: name,
          description: path,
          leftSection: <IconCube size={18} />,
          onClick: () => void navigate({ to: '/models/$id', params: { id } }),
        },
        ...(state.kind === 'ready'
          ? [
              {
                id: `compress ${id}`,
                label: t('search.compress', { name }),
                leftSection: <IconPlayerPlay size={18} />,
                onClick: () => void navigate({ to: '/new', search: { model: id } }),
              },
            ]
          : []),
      ]),
    },
    {
      group: t('search.runs'),
      actions: (runs?.rows ?? []).map(({ id, name, modelName }) => ({
        id: `run ${id}`,
        label: name,
        description: modelName,
        leftSection: <IconChartDots size={18} />,
        onClick: () => void navigate({ to: '/runs/$id', params: { id } }),
      })),
    },
  ];
}
