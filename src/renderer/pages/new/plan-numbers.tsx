import { Table, Text } from '@mantine/core';
import type { ReactElement } from 'react';

import type { Trial } from '../../../contract/bridge.ts';
import { bytes, duration, fixed, percent, significant, whole } from '../../../contract/format.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import type { GpuPlan, Plan } from '../../../contract/plan.ts';
import { useLabel } from '../../words.tsx';
import { fitsDisk, fitsMemory, peakOf } from './start.ts';
import type { Planned } from './use-plan.ts';

/** The figures of a plan; marked while they are those of the recipe before. */
export function PlanNumbers({ planned, trial }: { planned: Planned; trial: Trial | null }): ReactElement {
  const t = useLabel();
  const { plan, isCurrent, isPlanning } = planned;
  if (plan === null) {
    return (
      <Text size="sm" c="dimmed" role="status">
        {isPlanning ? t('plan.planning') : t('plan.none')}
      </Text>
    );
  }
  return (
    <div className="plan-numbers" data-stale={!isCurrent || undefined}>
      <Needs plan={plan} trial={trial} />
      <Gives plan={plan} />
      <Stages plan={plan} />
      {plan.warnings.some(({ code }) => code === 'plan.busy') && (
        <Text size="xs" c="dimmed">
          {t('plan.busy')}
        </Text>
      )}
    </div>
  );
}

function Needs({ plan, trial }: { plan: Plan; trial: Trial | null }): ReactElement {
  const t = useLabel();
  const { memory, gpu, disk, search } = plan;
  const seconds = trial?.seconds ?? plan.seconds;
  const meanwhile = bytes(Math.max(disk.activationBytes, disk.archiveBytes));
  const how = trial ? measuredWords(trial, t) : t('plan.estimated');
  return (
    <dl className="plan-list">
      <Figure name={t('plan.time')} value={duration(seconds)} note={how} />
      <Figure
        name={t('field.memory')}
        value={bytes(peakOf(plan, trial))}
        note={`${how}${t('plan.of-budget', { budget: bytes(memory.budgetBytes), free: bytes(memory.freeBytes) })}`}
        isTooMuch={!fitsMemory(plan, trial)}
      />
      <Figure
        name={t('plan.highest')}
        value={t(`stage.${memory.stage}`)}
        note={t('plan.largest', { what: t(`holder.${memory.largest}`), bytes: bytes(memory.largestBytes) })}
      />
      {gpu !== null && <Figure name={t('plan.gpu-memory')} value={bytes(gpu.neededBytes)} note={gpuWords(gpu, t)} />}
      <Figure
        name={t('plan.disk')}
        value={bytes(disk.totalBytes)}
        note={
          disk.freeBytes === null
            ? t('plan.disk-parts', { output: bytes(disk.outputBytes), meanwhile })
            : t('plan.disk-free', { output: bytes(disk.outputBytes), meanwhile, free: bytes(disk.freeBytes) })
        }
        isTooMuch={!fitsDisk(plan)}
      />
      {search !== null && (
        <Figure
          name={t('plan.search')}
          value={t('plan.attempts', { attempts: search.attempts })}
          note={t('plan.search-note', {
            time: duration((search.seconds * seconds) / plan.seconds),
            bytes: bytes(search.diskBytes),
          })}
        />
      )}
    </dl>
  );
}

function gpuWords({ name, memoryBytes, gemmRate, layersOnCpu }: GpuPlan, t: Label): string {
  const gflops = significant(gemmRate / 1e9, 3);
  const words =
    memoryBytes === null
      ? t('plan.gpu', { name, gflops })
      : t('plan.gpu-of', { name, gflops, memory: bytes(memoryBytes) });
  const left = layersOnCpu.length > 0 ? t('plan.gpu-left', { layers: layersOnCpu.join(t('text.comma')) }) : '';
  return `${words}${left}`;
}

function measuredWords({ blocks, untried }: Trial, t: Label): string {
  if (untried.length === 0) return t('plan.measured', { blocks });
  return t('plan.measured-part', { blocks, stages: untried.map((stage) => t(`stage.${stage}`)).join(t('text.comma')) });
}

function Gives({ plan }: { plan: Plan }): ReactElement {
  const t = useLabel();
  const { size, model, evaluation } = plan;
  const bits = (count: number): string => t('plan.bits', { bits: fixed((8 * count) / model.parameters, 2) });
  return (
    <dl className="plan-list">
      <Figure
        name={t('plan.dense')}
        value={bytes(size.denseBytes)}
        note={`${bits(size.denseBytes)} · ${t('plan.dense-text')}`}
      />
      <Figure
        name={t('plan.packed')}
        value={bytes(size.nonZeroBytes)}
        note={`${bits(size.nonZeroBytes)} · ${t('plan.packed-text', { share: percent(size.nonZeroBytes / size.denseBytes, 0) })}`}
      />
      <Figure
        name={t('new.evaluation')}
        value={evaluation.length === 0 ? t('plan.no-evaluation') : t('plan.windows', { windows: windowsOf(plan) })}
        note={evaluation.map(({ dataset, seqlen }) => `${dataset}, seqlen ${seqlen}`).join('; ')}
      />
    </dl>
  );
}

function windowsOf({ evaluation }: Plan): string {
  const about = evaluation.some(({ estimated }) => estimated) ? '≈ ' : '';
  return `${about}${whole(evaluation.reduce((sum, { windows }) => sum + windows, 0))}`;
}

function Figure(props: { name: string; value: string; note: string; isTooMuch?: boolean }): ReactElement {
  const { name, value, note, isTooMuch } = props;
  return (
    <div className="plan-figure" data-too-much={isTooMuch || undefined}>
      <dt>{name}</dt>
      <dd>
        <span className="plan-value">{value}</span>
        <span className="plan-note">{note}</span>
      </dd>
    </div>
  );
}

function Stages({ plan: { stages, memory } }: { plan: Plan }): ReactElement {
  const t = useLabel();
  return (
    <Table captionSide="top" className="plan-stages" verticalSpacing={2} horizontalSpacing={4}>
      <Table.Caption>{t('plan.by-stage')}</Table.Caption>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{t('field.stage')}</Table.Th>
          <Table.Th scope="col" ta="right">
            {t('plan.time')}
          </Table.Th>
          <Table.Th scope="col" ta="right">
            {t('plan.memory')}
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {stages.map(({ stage, seconds, peakMemoryBytes }) => (
          <Table.Tr key={stage} fw={stage === memory.stage ? 600 : undefined}>
            <Table.Td>{t(`stage.${stage}`)}</Table.Td>
            <Table.Td ta="right">{duration(seconds)}</Table.Td>
            <Table.Td ta="right">{bytes(peakMemoryBytes)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
