import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { test as base } from 'vitest';

import { findElectron } from '../../scripts/electron.mjs';
import { launch, type LaunchOptions, type Running } from './launch.ts';

const failures = fileURLToPath(new URL('../../test-results/failures', import.meta.url));

/**
 * A test with a folder of its own, and with `start`, which opens the application on it: once more after `close()`, where the test
 * asks for it. What still runs when the test ends is closed; a problem in a page fails the test.
 */
export const test = base.extend<{
  folder: string;
  start: (options?: Partial<LaunchOptions>) => Promise<Running>;
}>({
  // eslint-disable-next-line no-empty-pattern -- Vitest reads from the pattern which fixtures are wanted
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'tamis-e2e-'));
    await use(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  },
  start: async ({ folder, skip, task }, use) => {
    if ((await findElectron()) === null) skip('no Electron is installed for this system');
    const started: Running[] = [];
    await use(async (options = {}) => {
      const running = await launch({ folder, ...options });
      started.push(running);
      return running;
    });
    for (const running of started) {
      if (task.result?.state === 'fail') await keepTraces(running, task.name);
      await running.close();
    }
  },
});

/** For whoever looks for the cause: a picture of the window, and what the main process wrote. */
async function keepTraces({ page, output }: Running, name: string): Promise<void> {
  console.error(output());
  if (page.isClosed()) return;
  mkdirSync(failures, { recursive: true });
  await page.screenshot({ path: join(failures, `${name.replace(/\W+/g, '-')}.png`) });
}
