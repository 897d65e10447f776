import { defineConfig } from 'vitest/config';

import { limits } from '../limits.ts';

export default defineConfig({
  test: {
    name: 'clients',
    environment: 'node',
    pool: 'forks',
    include: ['test/clients/*.test.ts'],
    globalSetup: ['test/clients/make-exports.ts'],
    // Each client takes all cores.
    fileParallelism: false,
    testTimeout: limits.test,
    hookTimeout: limits.test,
    reporters: ['default', './scripts/test-reporter.mjs'],
  },
});
