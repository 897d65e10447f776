import { Badge } from '@mantine/core';
import {
  IconAlertTriangle,
  IconBan,
  IconBolt,
  IconCheck,
  IconClock,
  IconDatabaseOff,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlugConnectedX,
  type Icon,
} from '@tabler/icons-react';
import type { ReactElement } from 'react';

import type { RunState } from '../../contract/history.ts';
import { useLabel } from '../words.tsx';

const looks: Readonly<Record<RunState, { icon: Icon; colour: string }>> = {
  queued: { icon: IconClock, colour: 'gray' },
  running: { icon: IconPlayerPlay, colour: 'blue' },
  paused: { icon: IconPlayerPause, colour: 'yellow' },
  finished: { icon: IconCheck, colour: 'teal' },
  failed: { icon: IconAlertTriangle, colour: 'red' },
  cancelled: { icon: IconBan, colour: 'gray' },
  killed: { icon: IconBolt, colour: 'red' },
  'out-of-memory': { icon: IconDatabaseOff, colour: 'red' },
  lost: { icon: IconPlugConnectedX, colour: 'orange' },
};

/** Where a run is: a word, an icon and a colour. */
export function StateBadge({ state }: { state: RunState }): ReactElement {
  const t = useLabel();
  const { icon: Icon, colour } = looks[state];
  return (
    <Badge
      variant="light"
      color={colour}
      size="sm"
      tt="none"
      className="state-badge"
      data-state={state}
      leftSection={<Icon size={12} aria-hidden="true" />}
    >
      {t(`state.${state}`)}
    </Badge>
  );
}
