import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'clients',
    environment: 'node',
    pool: 'forks',
    include: ['test/clients/*.test.ts'],
    globalSetup: ['test/clients/make-exports.ts'],
    // Each client takes all cores.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: ['default', './scripts/test-reporter.mjs'],
  },
});
