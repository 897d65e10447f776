import { describe, expect, test } from 'vitest';

import { perplexitiesOf } from '../fixtures/measured.ts';
import { useReference } from '../integration/reference.ts';

const { run, expectPruned, expectQuantized, expectIterated } = useReference('reference');

/** What `npm test` leaves out of these: test/integration/reference.test.ts. */
describe('the demo model with the token ids of the reference', () => {
  test.each(['scheduled-80', 'uniform-50', 'uniform-70', 'uniform-80', 'nm-2-4', 'nm-4-8'] as const)(
    "%s: perplexities, estimates, groups and sparsities are the reference's",
    async (name) => {
      await expectPruned(name);
    },
  );

  test.each(['int3-g128', 'uniform-50-int4-g128', 'scheduled-70-int4-g128-sym'] as const)(
    "%s: a perplexity at most a hundredth above the reference's",
    async (name) => {
      await expectQuantized(name);
    },
  );

  test.each(['admm-50', 'admm-70', 'admm-80', 'admm-2-4', 'admm-70-int3'] as const)(
    "%s: a perplexity at most a hundredth above the reference's",
    async (name) => {
      await expectIterated(name);
    },
  );

  // Measured with PyTorch by the method of docs/scheduling.md, sensitivities from 16 sequences of 256 tokens.
  test.each([
    ['allocate-70', ['--scheduler', 'allocate', '--sparsity', '0.7'], 86.6],
    ['allocate-80', ['--scheduler', 'allocate', '--sparsity', '0.8'], 110.0],
    ['measured-70', ['--scheduler', 'kmeans', '--estimate', 'measured', '--sparsity', '0.7'], 86.9],
  ])("%s: a perplexity at most a fiftieth above the reference's", async (name, flags, expected) => {
    const report = await run(name, flags, 128);
    const { compressed = NaN } = perplexitiesOf(report)[0] ?? {};
    for (const { name: layer, sensitivity } of report.layers) expect(sensitivity, layer).toBeGreaterThan(0);
    expect(compressed / expected - 1, `${compressed}`).toBeLessThan(0.02);
  });
});
