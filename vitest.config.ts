import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,integration}/**/*.test.{ts,tsx}'],
    environment: 'node',
    // onnxruntime aborts the process when a worker thread ends during a run.
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './scripts/test-reporter.mjs'],
  },
});
