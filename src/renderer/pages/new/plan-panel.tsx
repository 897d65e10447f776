import { Alert, Badge, Button, Group, Paper, Progress as ProgressBar, Select, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconFlask, IconPlayerPlay, IconRefresh } from '@tabler/icons-react';
import { useId, type ReactElement } from 'react';

import { duration } from '../../../contract/format.ts';
import { useLabel } from '../../words.tsx';
import { PlanNumbers } from './plan-numbers.tsx';
import type { Planned } from './use-plan.ts';
import type { Trying } from './use-trial.ts';

interface PlanPanelProps {
  /** The names of the runs that would be queued; one of them is planned. */
  readonly runs: readonly string[];
  readonly chosen: number;
  readonly onChoose: (index: number) => void;
  readonly planned: Planned;
  readonly trying: Trying;
  readonly onStart: () => void;
  readonly isStarting: boolean;
  /** Why it cannot be started, in words; null = it can. */
  readonly reason: string | null;
}

/** What the recipe will need and give, what does not fit, and the start. */
export function PlanPanel(props: PlanPanelProps): ReactElement {
  const { runs, chosen, onChoose, planned, trying, onStart, isStarting, reason } = props;
  const t = useLabel();
  const reasonId = useId();
  return (
    <Paper component="aside" withBorder className="plan-panel" aria-label={t('plan.title')}>
      <Group justify="space-between" wrap="nowrap">
        <Group gap="xs" wrap="nowrap">
          <Title order={2} size="h5">
            {t('plan.title')}
          </Title>
          {planned.plan !== null && !planned.isCurrent && (
            <Badge size="sm" color="gray" tt="none">
              {t('plan.stale')}
            </Badge>
          )}
        </Group>
        <PlanState planned={planned} enabled={runs.length > 0} />
      </Group>
      {runs.length > 1 && (
        <Select
          label={t('plan.sweep', { runs: runs.length })}
          data={runs.map((label, index) => ({ value: String(index), label }))}
          value={String(chosen)}
          onChange={(value) => onChoose(Number(value))}
          allowDeselect={false}
        />
      )}
      <div className="plan-scroll" role="region" aria-label={t('plan.title')} tabIndex={0}>
        <PlanNumbers planned={planned} trial={trying.trial} />
        {runs.length > 1 && (
          <Text size="xs" c="dimmed">
            {t('plan.sweep-shares')}
          </Text>
        )}
      </div>
      <TryTwoBlocks trying={trying} enabled={runs.length > 0 && planned.error === null} />
      <Stack gap={6}>
        {reason !== null && (
          <Alert color="yellow" p="xs" icon={<IconAlertTriangle size={16} />} id={reasonId} role="status">
            {reason}
          </Alert>
        )}
        <Button
          size="sm"
          leftSection={<IconPlayerPlay size={16} />}
          disabled={reason !== null}
          aria-describedby={reason === null ? undefined : reasonId}
          loading={isStarting}
          onClick={onStart}
        >
          {runs.length > 1 ? t('plan.start-sweep', { runs: runs.length }) : t('plan.start')}
        </Button>
      </Stack>
    </Paper>
  );
}

function PlanState({ planned: { isPlanning, again }, enabled }: { planned: Planned; enabled: boolean }): ReactElement {
  const t = useLabel();
  return (
    <Button
      size="compact-xs"
      variant="subtle"
      leftSection={<IconRefresh size={13} />}
      loading={isPlanning}
      disabled={!enabled}
      onClick={again}
    >
      {isPlanning ? t('plan.planning') : t('plan.again')}
    </Button>
  );
}

function TryTwoBlocks({ trying, enabled }: { trying: Trying; enabled: boolean }): ReactElement {
  const t = useLabel();
  const { isTrying, progress, start, cancel } = trying;
  if (!isTrying) {
    return (
      <Button variant="default" leftSection={<IconFlask size={14} />} disabled={!enabled} onClick={start}>
        {t('plan.try')}
      </Button>
    );
  }
  const share = progress && progress.total > 0 ? (100 * progress.done) / progress.total : 0;
  const left = progress?.remainingSeconds ?? null;
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" role="status">
          {left === null ? t('plan.trying') : t('plan.trying-left', { time: duration(left) })}
        </Text>
        <Button size="compact-xs" variant="default" onClick={cancel}>
          {t('app.cancel')}
        </Button>
      </Group>
      <ProgressBar value={share} animated={share === 0} aria-label={t('plan.trying')} />
    </Stack>
  );
}
