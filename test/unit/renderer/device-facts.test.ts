import { expect, test } from 'vitest';

import type { RunEvent } from '../../../src/contract/events.ts';
import { labels } from '../../../src/contract/messages/labels.ts';
import { applyEvents, emptyView } from '../../../src/renderer/run/run-view.ts';
import { deviceFacts } from '../../../src/renderer/run/device-facts.ts';
import { told } from '../../fixtures/events.ts';

const GIB = 2 ** 30;

function shown(events: readonly RunEvent[], locale: 'en' | 'zh-TW' = 'en'): Record<string, unknown> {
  const view = applyEvents(emptyView, told(events));
  return Object.fromEntries(deviceFacts(view, labels(locale)).map(({ name, text }) => [name, text]));
}

function devices(memoryBytes: number | null): RunEvent {
  return { type: 'devices', device: 'cuda', gpu: { name: 'RTX', driver: 'NVIDIA 580', memoryBytes } };
}

function usage(memoryBytes: number | null, utilization: number | null): RunEvent {
  return { type: 'gpu-usage', memoryBytes, utilization };
}

test('nothing before the run has told, and no GPU where the CPU does its work', () => {
  expect(shown([])).toEqual({});
  expect(shown([{ type: 'devices', device: 'cpu', gpu: null }])).toEqual({ Device: 'cpu' });
});

test('memory and utilization are those that are told', () => {
  const begun = { Device: 'cuda', GPU: 'RTX' };
  expect(shown([devices(24 * GIB)])).toEqual({ ...begun, 'GPU memory': '24.0 GiB' });
  expect(shown([devices(24 * GIB), usage(6.5 * GIB, 0.874)])).toEqual({
    ...begun,
    'GPU memory': '6.5 GiB of 24.0 GiB in use',
    'GPU utilization': '87 %',
  });
  expect(shown([devices(null), usage(6.5 * GIB, null)])).toEqual({ ...begun, 'GPU memory': '6.5 GiB in use' });
  expect(shown([devices(null), usage(null, 0)])).toEqual({ ...begun, 'GPU utilization': '0 %' });
  expect(shown([devices(24 * GIB), usage(6.5 * GIB, 1)], 'zh-TW')['GPU 記憶體']).toBe('已使用 6.5 GiB，共 24.0 GiB');
});

test('what is in use of a GPU is forgotten with it', () => {
  const lost: RunEvent = { type: 'devices', device: 'cuda', gpu: null };
  expect(shown([devices(24 * GIB), usage(GIB, 1), lost])).toEqual({ Device: 'cuda' });
});
