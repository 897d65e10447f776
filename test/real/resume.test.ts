import { describe, test } from 'vitest';

import { everySecond, useInterrupted } from '../integration/interrupted.ts';

const use = useInterrupted('resume');

/** The others: test/integration/resume.test.ts. */
describe('a run that was killed ends with the bits of one that was not', () => {
  test.each(everySecond(1))('%s %s %d', async (...moment) => {
    await use.expectSameBits(moment, use.bits);
  });
});
