import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { demoModel } from '../fixtures/demo-model.ts';
import { useOwnCache } from '../fixtures/own-cache.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { fixtureFolder, modelFixtures } from '../fixtures/models.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { againstUniform, randomData, targets, type Against } from '../integration/against-uniform.ts';

const folder = testFolder('auto');
useOwnCache(folder);
let count = 0;

afterAll(() => {
  folder.remove();
});

function say(name: string, target: number, { auto, perplexity }: Against): void {
  const tried = auto.choice?.candidates.map(({ perplexity: held, difference }) => [held, difference]);
  console.log(JSON.stringify({ name, target, ...perplexity, chosen: auto.choice?.chosen, tried }));
}

describe('auto is not worse than uniform', () => {
  describe.each(modelFixtures)('%s', (name) => {
    test.each(targets)('at %d', async (target) => {
      const recipe = { model: fixtureFolder(name), ...randomData(folder.path) };
      const against = await againstUniform(recipe, target, join(folder.path, String(++count)));
      say(name, target, against);
      expect(against.perplexity.auto).toBeLessThanOrEqual(against.perplexity.uniform);
    });
  });

  test.each(targets)('the demo model at %d', async (target) => {
    const texts = (path: string): { kind: 'texts'; paths: string[] } => ({ kind: 'texts', paths: [path] });
    const recipe: Parameters<typeof againstUniform>[0] = {
      model: demoModel,
      calibration: { corpus: texts(demoTexts.calibration), sequences: 128, seqlen: 256 },
      evaluation: { datasets: [{ name: 'demo', corpus: texts(demoTexts.evaluation) }], windows: 256, seqlen: 256 },
      device: 'cpu',
    };
    const against = await againstUniform(recipe, target, join(folder.path, String(++count)));
    say('demo', target, against);
    expect(against.perplexity.auto).toBeLessThanOrEqual(against.perplexity.uniform);
  });
});
