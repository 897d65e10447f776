import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import type { Progress, Trial } from '../../src/contract/bridge.ts';
import type { Plan } from '../../src/contract/plan.ts';
import { parseRecipe, type RecipeInput } from '../../src/contract/recipe.ts';
import type { Report } from '../../src/contract/report.ts';
import { plan } from '../../src/worker/plan/plan.ts';
import { tryRecipe } from '../../src/worker/trial.ts';
import { useOwnCache } from '../fixtures/own-cache.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTinyOpt } from '../fixtures/tiny-opt.ts';
import { randomData } from './against-uniform.ts';
import { readReportOf } from './helpers.ts';

const folder = testFolder('trial');
const cache = useOwnCache(folder);
const { signal } = new AbortController();
let count = 0;

afterAll(() => {
  folder.remove();
});

interface Tried {
  readonly trial: Trial;
  readonly planned: Plan;
  readonly report: Report;
  readonly shares: readonly number[];
}

/** Tries the first two of three blocks. */
async function tried(scheduler: RecipeInput['scheduler']): Promise<Tried> {
  const own = join(folder.path, String(++count));
  mkdirSync(own);
  const model = writeTinyOpt(join(folder.path, `model-${count}`), { seed: count });
  const recipe = parseRecipe({ model, ...randomData(folder.path), sparsity: 0.7, scheduler });
  const shares: number[] = [];
  const onProgress = ({ done, total }: Progress): void => void shares.push(done / total);
  const trial = await tryRecipe(recipe, own, { signal, onProgress });
  return { trial, planned: await plan(recipe, { signal }), report: readReportOf(join(own, 'run')), shares };
}

const isKept = (kind: string): boolean => existsSync(join(cache, kind)) && readdirSync(join(cache, kind)).length > 0;

test.each([
  [{ kind: 'auto' }, ['estimate', 'choose']],
  [{ kind: 'allocate' }, ['estimate']],
  [{ kind: 'kmeans', estimate: 'measured' }, ['estimate']],
] as const)('%j: no sensitivity is measured, and what is not tried counts as planned', async (scheduler, untried) => {
  const { trial, planned, report, shares } = await tried(scheduler);
  expect(trial).toMatchObject({ blocks: 2, untried });
  expect(report.model.blocksCompressed).toBe(2);
  expect(report.recipe.scheduler).toEqual({ kind: 'uniform' });
  for (const kind of ['statistics', 'sensitivities', 'trials']) expect(isKept(kind), kind).toBe(false);
  const peaks = planned.stages.flatMap(({ stage, peakMemoryBytes }) =>
    untried.some((other) => other === stage) ? [peakMemoryBytes] : [],
  );
  expect(peaks).toHaveLength(untried.length);
  expect(trial.peakMemoryBytes).toBeGreaterThanOrEqual(Math.max(...peaks, report.peakMemoryBytes));
  expect(trial.seconds).toBeGreaterThan(0);
  expect(Math.max(...shares)).toBeGreaterThan(0.9);
  expect(Math.max(...shares)).toBeLessThanOrEqual(1.001);
});

test('kmeans by the paper’s estimate is tried whole', async () => {
  const { trial, report } = await tried({ kind: 'kmeans', estimate: 'raw' });
  expect(trial).toMatchObject({ untried: [], peakMemoryBytes: report.peakMemoryBytes });
  expect(report.recipe.scheduler.kind).toBe('kmeans');
  expect(isKept('statistics')).toBe(true);
});
