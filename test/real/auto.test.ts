import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { demoModel } from '../fixtures/demo-model.ts';
import { useOwnCache } from '../fixtures/own-cache.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { fixtureFolder, modelFixtures } from '../fixtures/models.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { againstUniform, compressedBy, perplexityOf, randomData, targets } from '../integration/against-uniform.ts';

const folder = testFolder('auto');
useOwnCache(folder);
let count = 0;

afterAll(() => {
  folder.remove();
});

type Recipe = Parameters<typeof againstUniform>[0];

/** Compares `auto` with uniform by its own method, and the demo model by ADMM with uniform SparseGPT too. */
async function check(name: string, recipe: Recipe, target: number): Promise<void> {
  const at = join(folder.path, String(++count));
  const { auto, perplexity } = await againstUniform(recipe, target, at);
  const plain: Recipe = { ...recipe, method: 'sparsegpt' };
  const sparsegpt =
    recipe.method === 'admm' ? perplexityOf(await compressedBy('uniform', plain, target, join(at, 'plain'))) : null;
  const { candidates = [], chosen } = auto.choice ?? {};
  const tried = candidates.map(({ perplexity: held, difference }) => [held, difference]);
  console.log(JSON.stringify({ name, method: recipe.method, target, ...perplexity, sparsegpt, chosen, tried }));
  expect(perplexity.auto).toBeLessThanOrEqual(perplexity.uniform);
  // On random ids which of two methods' random models does better is a toss (docs/scheduling.md).
  if (sparsegpt !== null && name === 'demo') expect(perplexity.auto).toBeLessThanOrEqual(sparsegpt);
}

describe.each(['sparsegpt', 'admm'] as const)('auto by %s is not worse than uniform', (method) => {
  describe.each(modelFixtures)('%s', (name) => {
    test.each(targets)('at %d', async (target) => {
      await check(name, { model: fixtureFolder(name), method, ...randomData(folder.path) }, target);
    });
  });

  test.each(targets)('the demo model at %d', async (target) => {
    const texts = (path: string): { kind: 'texts'; paths: string[] } => ({ kind: 'texts', paths: [path] });
    const recipe: Recipe = {
      model: demoModel,
      method,
      calibration: { corpus: texts(demoTexts.calibration), sequences: 128, seqlen: 256 },
      evaluation: { datasets: [{ name: 'demo', corpus: texts(demoTexts.evaluation) }], windows: 256, seqlen: 256 },
      device: 'cpu',
    };
    await check('demo', recipe, target);
  });
});
