import { defineConfig } from 'vitest/config';

import { limits } from './test/limits.ts';

const shared = {
  environment: 'node',
  // onnxruntime aborts the process when a worker thread ends during a run.
  pool: 'forks',
  testTimeout: limits.test,
  hookTimeout: limits.test,
  expect: { poll: { timeout: limits.wait } },
} as const;

export default defineConfig({
  test: {
    reporters: ['default', './scripts/test-reporter.mjs'],
    projects: [
      // Whole runs, most of them on one thread and often waiting for the disk: three keep two processors busy.
      {
        test: {
          ...shared,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['test/unit/**/*.test.{ts,tsx}'],
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          // One window at a time, which leaves a processor to the checks and the Rust tests: first. (Vitest leaves order 0 for the end.)
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/e2e/display.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
