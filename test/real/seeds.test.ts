import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { demoModel } from '../fixtures/demo-model.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { readReportOf, succeed } from '../integration/helpers.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

let folder: ReturnType<typeof testFolder>;
let recipe: string;

beforeAll(() => {
  folder = testFolder('seeds');
  recipe = folder.write(
    'recipe.json',
    JSON.stringify({
      model: demoModel,
      calibration: { corpus: { kind: 'texts', paths: [demoTexts.calibration] }, sequences: 128 },
      evaluation: {
        datasets: [{ name: 'unseen', corpus: { kind: 'texts', paths: [demoTexts.evaluation] } }],
        windows: 64,
      },
      device: 'cpu',
    }),
  );
});
afterAll(() => {
  folder.remove();
});

async function perplexity(seed: number, sparsity: number, scheduler: string): Promise<number> {
  const out = join(folder.path, `${scheduler}-${sparsity}-${seed}`);
  const flags = ['--seed', String(seed), '--sparsity', String(sparsity), '--scheduler', scheduler];
  await succeed(['compress', '--recipe', recipe, '--out', out, ...flags], { cache: join(folder.path, 'cache') });
  return perplexitiesOf(readReportOf(out))[0]?.compressed ?? NaN;
}

// Over 256 windows: uniform 94.15, 93.77, 93.93 and scheduled 91.75, 92.09, 91.91 at 70 %; uniform 135.1, 136.7, 137.5 and
// scheduled 120.9, 120.7, 122.7 at 80 %. The 64 windows here show the same: at least 1.8 less at 70 % and 15 at 80 %.
describe('on the demo model the schedule beats uniform pruning, whatever the calibration seed', () => {
  test.each([
    [0.7, 0],
    [0.7, 1],
    [0.7, 2],
    [0.8, 0],
  ])('sparsity %f, seed %i', async (sparsity, seed) => {
    const scheduled = await perplexity(seed, sparsity, 'kmeans');
    const uniform = await perplexity(seed, sparsity, 'uniform');
    expect(scheduled).toBeLessThan(uniform);
  });
});
