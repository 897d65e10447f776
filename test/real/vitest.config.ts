import { defineConfig } from 'vitest/config';

import { limits } from '../limits.ts';

export default defineConfig({
  test: {
    name: 'real',
    environment: 'node',
    pool: 'forks',
    include: ['test/real/*.test.ts'],
    // Each run takes all cores.
    fileParallelism: false,
    testTimeout: limits.realTest,
    hookTimeout: limits.realTest,
    reporters: ['default', './scripts/test-reporter.mjs'],
  },
});
