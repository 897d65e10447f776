import { bytes, percent } from '../../contract/format.ts';
import type { Label } from '../../contract/messages/labels.ts';
import type { RunView } from './run-view.ts';
import type { Fact } from './facts.tsx';

/** What a run computes on, and what of its GPU is in use by all programs; nothing where nothing is told. */
export function deviceFacts({ devices, gpuUsage }: Pick<RunView, 'devices' | 'gpuUsage'>, t: Label): Fact[] {
  if (devices === null) return [];
  const { device, gpu } = devices;
  const facts: Fact[] = [{ name: t('field.device'), text: device }];
  if (gpu === null) return facts;
  facts.push({ name: t('field.gpu'), text: gpu.name });
  const memory = memoryText(gpuUsage?.memoryBytes ?? null, gpu.memoryBytes, t);
  if (memory !== null) facts.push({ name: t('pace.gpu-memory'), text: memory });
  const utilization = gpuUsage?.utilization ?? null;
  if (utilization !== null) facts.push({ name: t('pace.gpu-utilization'), text: `${percent(utilization, 0)} %` });
  return facts;
}

function memoryText(used: number | null, total: number | null, t: Label): string | null {
  if (used === null) return total === null ? null : bytes(total);
  if (total === null) return t('pace.gpu-memory.used', { used: bytes(used) });
  return t('pace.gpu-memory.used-of', { used: bytes(used), total: bytes(total) });
}
