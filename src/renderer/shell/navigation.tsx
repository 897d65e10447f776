import { ActionIcon, Badge, Button, Group, Kbd, Loader, Stack, Text, Tooltip } from '@mantine/core';
import {
  IconClock,
  IconCube,
  IconHelp,
  IconHistory,
  IconPlayerPlay,
  IconSearch,
  IconSettings,
} from '@tabler/icons-react';
import { useMatchRoute } from '@tanstack/react-router';
import type { ComponentType, ReactElement } from 'react';

import { newestRuns } from '../../contract/history.ts';
import type { LabelKey } from '../../contract/messages/labels.ts';
import { useBoot } from '../boot.tsx';
import { LinkNav } from '../components/links.tsx';
import { useAsk } from '../ask/queries.ts';
import { product, useLabel } from '../words.tsx';

const pages: readonly {
  to: '/models' | '/new' | '/history' | '/settings';
  label: LabelKey;
  icon: ComponentType<{ size?: number }>;
}[] = [
  { to: '/models', label: 'models.title', icon: IconCube },
  { to: '/new', label: 'app.new-run', icon: IconPlayerPlay },
  { to: '/history', label: 'app.history', icon: IconHistory },
  { to: '/settings', label: 'settings.title', icon: IconSettings },
];

/** The pages, the runs that are going on, and the way to everything else. */
export function Navigation({ onSearch, onHelp }: { onSearch: () => void; onHelp: () => void }): ReactElement {
  const t = useLabel();
  const { version, platform } = useBoot();
  const isAt = useMatchRoute();
  return (
    <Stack className="navigation" gap={4}>
      <Group gap={6} px="xs" py={6} align="baseline">
        <Text fw={700} size="lg">
          {product}
        </Text>
        <Text size="xs" c="dimmed">
          {version}
        </Text>
      </Group>
      <Button
        variant="default"
        justify="space-between"
        fullWidth
        mb={4}
        leftSection={<IconSearch size={14} />}
        rightSection={<Kbd size="xs">{platform === 'darwin' ? '⌘ K' : 'Ctrl K'}</Kbd>}
        onClick={onSearch}
      >
        {t('app.search')}
      </Button>
      {pages.map(({ to, label, icon: Icon }) => {
        const active = isAt({ to, fuzzy: true }) !== false;
        return (
          <LinkNav
            key={to}
            to={to}
            label={t(label)}
            leftSection={<Icon size={18} />}
            active={active}
            aria-current={active ? 'page' : undefined}
          />
        );
      })}
      <RunsGoingOn />
      <Group mt="auto" justify="flex-end">
        <Tooltip label={t('app.shortcuts')}>
          <ActionIcon aria-label={t('app.shortcuts')} onClick={onHelp}>
            <IconHelp size={18} />
          </ActionIcon>
        </Tooltip>
      </Group>
    </Stack>
  );
}

/** So many runs are listed; the others are in the history. */
const listed = 6;

function RunsGoingOn(): ReactElement | null {
  const t = useLabel();
  const isAt = useMatchRoute();
  const { data } = useAsk('runs.list', {
    ...newestRuns,
    states: ['running', 'queued'],
    sort: { column: 'createdAt', descending: false },
    limit: listed,
  });
  if (!data || data.total === 0) return null;
  return (
    <section aria-label={t('app.going-on')} className="going-on">
      <Group gap={6} px="xs" pt="sm" pb={2}>
        <Text size="xs" fw={600} c="dimmed">
          {t('app.going-on')}
        </Text>
        <Badge size="xs" variant="light">
          {data.total}
        </Badge>
      </Group>
      {data.rows.map(({ id, name, state }) => (
        <LinkNav
          key={id}
          to="/runs/$id"
          params={{ id }}
          label={<span className="cut">{name}</span>}
          active={isAt({ to: '/runs/$id', params: { id }, fuzzy: true }) !== false}
          leftSection={
            state === 'running' ? (
              <Loader size={14} aria-label={t('app.running')} />
            ) : (
              <IconClock size={14} aria-label={t('app.queued')} />
            )
          }
        />
      ))}
    </section>
  );
}
