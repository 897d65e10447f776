import { describe, expect, test } from 'vitest';

import { useReference } from './reference.ts';

const { expectPruned, expectIterated, perplexityOf } = useReference('reference');

/** The rest of the reference's runs, and other seeds: test/real/reference.test.ts, test/real/seeds.test.ts. */
describe('the demo model with the token ids of the reference', () => {
  test("at 70 %: perplexities, estimates, groups and sparsities; the schedule beats the reference's uniform", async () => {
    expect(await expectPruned('scheduled-70')).toBeLessThan(perplexityOf('uniform-70'));
  });

  test("by ADMM at 70 % and 4 bits: a perplexity at most a hundredth above the reference's", async () => {
    await expectIterated('admm-70-int4');
  });
});
