import { MantineProvider } from '@mantine/core';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, test } from 'vitest';

import type { Locale } from '../../../src/contract/messages/index.ts';
import { planSchema, type GpuPlan } from '../../../src/contract/plan.ts';
import { PlanNumbers } from '../../../src/renderer/pages/new/plan-numbers.tsx';
import { WordsProvider } from '../../../src/renderer/words.tsx';

const plan = planSchema.parse({
  model: {
    folder: '/opt',
    family: 'opt',
    dtype: 'F16',
    parameters: 100,
    blocks: 1,
    blocksCompressed: 1,
    hidden: 4,
    vocab: 8,
  },
  method: 'sparsegpt',
  device: 'cpu',
  threads: 2,
  gpu: null,
  calibration: { sequences: 1, seqlen: 8 },
  evaluation: [],
  stages: [{ stage: 'compress', operations: {}, seconds: 1, memory: { staged: 10 }, peakMemoryBytes: 10 }],
  operations: 1,
  seconds: 1,
  search: null,
  memory: { peakBytes: 10, stage: 'compress', largest: 'staged', largestBytes: 10, budgetBytes: 20, freeBytes: 30 },
  disk: { outputBytes: 1, activationBytes: 1, archiveBytes: 0, totalBytes: 2, freeBytes: null },
  size: { denseBytes: 200, nonZeroBytes: 50 },
  refusal: null,
  warnings: [],
});

const card: GpuPlan = {
  name: 'Card 9000',
  driver: '1.0',
  memoryBytes: 24 * 2 ** 30,
  neededBytes: 4.5 * 2 ** 30,
  layersOnCpu: ['fc1', 'fc2'],
  gemmRate: 1.234e13,
  transferRate: 1e10,
};

/** The text of the panel's figures. */
function textOf(gpu: GpuPlan | null, locale: Locale = 'en'): string {
  const planned = { plan: { ...plan, gpu }, isCurrent: true, isPlanning: false, error: null, again: () => undefined };
  const html = renderToStaticMarkup(
    <MantineProvider>
      <WordsProvider locale={locale}>
        <PlanNumbers planned={planned} trial={null} />
      </WordsProvider>
    </MantineProvider>,
  );
  return html.replaceAll(/<style.*?<\/style>/gs, '').replaceAll(/<[^>]+>/g, '|');
}

describe("a plan's GPU", () => {
  test('is told with what it needs, its memory and rate, and the layers that it leaves to the CPU', () => {
    const text = textOf(card);
    expect(text).toMatch(/GPU memory\|+4\.5 GiB\|+Card 9000, 24\.0 GiB, 12340 GFLOP\/s; left to the CPU: fc1, fc2\|/);
    expect(textOf(card, 'zh-TW')).toContain('Card 9000，24.0 GiB，12340 GFLOP/s；由 CPU 處理：fc1，fc2');
  });

  test('has no words for memory that is not known, nor for layers where there are none', () => {
    const text = textOf({ ...card, memoryBytes: null, layersOnCpu: [] });
    expect(text).toContain('|Card 9000, 12340 GFLOP/s|');
    expect(textOf(null)).not.toContain('GPU memory');
  });

  test('may have most of the memory of this machine on its way', () => {
    expect(textOf(card)).toContain('10 B of it for transfers to and from the GPU');
    expect(textOf(card, 'zh-TW')).toContain('其中 10 B 用於與 GPU 之間的傳輸');
  });
});
