import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { RunEvent } from '../../src/contract/events.ts';
import type { GpuUsage } from '../../src/contract/gpu.ts';
import { watchGpu } from '../../src/worker/run/gpu-usage.ts';

const half: GpuUsage = { memoryBytes: 5e9, utilization: 0.5 };
const unknown: GpuUsage = { memoryBytes: null, utilization: null };

let events: RunEvent[] = [];
const emit = (event: RunEvent): void => void events.push(event);

beforeEach(() => {
  events = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function gpuThatTells(usage: () => Promise<GpuUsage>): { handle: { usage: () => Promise<GpuUsage> } } {
  return { handle: { usage } };
}

test('is told once a second, until it is stopped', async () => {
  const watch = watchGpu({ gpu: gpuThatTells(() => Promise.resolve(half)) }, emit);
  await vi.advanceTimersByTimeAsync(3500);
  expect(events).toEqual([1, 2, 3].map(() => ({ type: 'gpu-usage', ...half })));
  watch[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(3000);
  expect(events).toHaveLength(3);
});

test('is asked for again only when it was answered, and an answer after the end is dropped', async () => {
  const answers: ((usage: GpuUsage) => void)[] = [];
  const watch = watchGpu({ gpu: gpuThatTells(() => new Promise((resolve) => answers.push(resolve))) }, emit);
  await vi.advanceTimersByTimeAsync(5000);
  expect(answers).toHaveLength(1);
  answers[0]?.(half);
  await vi.advanceTimersByTimeAsync(1000);
  expect(events).toHaveLength(1);
  expect(answers).toHaveLength(2);
  watch[Symbol.dispose]();
  answers[1]?.(half);
  await vi.advanceTimersByTimeAsync(1000);
  expect(events).toHaveLength(1);
});

test('is not told where the driver does not tell, nor of a GPU that was given up', async () => {
  const silent = watchGpu({ gpu: gpuThatTells(() => Promise.resolve(unknown)) }, emit);
  await vi.advanceTimersByTimeAsync(2000);
  silent[Symbol.dispose]();
  const owner: Parameters<typeof watchGpu>[0] & { gpu: unknown } = {
    gpu: gpuThatTells(() => {
      owner.gpu = null;
      return Promise.resolve(half);
    }),
  };
  const watch = watchGpu(owner, emit);
  await vi.advanceTimersByTimeAsync(3000);
  watch[Symbol.dispose]();
  expect(owner.gpu).toBeNull();
  expect(events).toEqual([]);
});
