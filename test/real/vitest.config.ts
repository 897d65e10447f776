import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'real',
    environment: 'node',
    pool: 'forks',
    include: ['test/real/*.test.ts'],
    // Each run takes all cores.
    fileParallelism: false,
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    reporters: ['default', './scripts/test-reporter.mjs'],
  },
});
