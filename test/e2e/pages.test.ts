import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Page } from 'playwright';
import { expect } from 'vitest';

import type { RecipeInput } from '../../src/contract/recipe.ts';
import { test } from './application.ts';
import { ask, choose, compressed, reached, startRun, tinyRecipe } from './ask.ts';
import { seriousFaults } from './axe.ts';

const screens = fileURLToPath(new URL('../../test-results/screens', import.meta.url));

const sizes = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
];

test('every screen, in both themes and both languages, at two sizes; no serious fault of accessibility', async ({
  start,
  folder,
}) => {
  mkdirSync(screens, { recursive: true });
  const { app, page } = await start();
  const quantization: RecipeInput['quantization'] = {
    bits: 4,
    symmetric: true,
    exceptions: [{ layers: '*.fc2', bits: 8 }],
  };
  const scheduled = await tinyRecipe(page, { quantization, scheduler: { kind: 'auto' } });
  // Short sequences: every layer is measured on sixteen of them.
  const finished = await startRun(
    page,
    { ...scheduled, calibration: { ...scheduled.calibration, seqlen: 32 } },
    'Scheduled 70 % + 4 bits',
  );
  await reached(page, finished, 'finished');
  const uniform = await startRun(page, await tinyRecipe(page, { scheduler: { kind: 'uniform' } }), 'Uniform 70 %');
  await reached(page, uniform, 'finished');
  const recipe = await tinyRecipe(page);
  const stopped = await startRun(
    page,
    { ...recipe, calibration: { ...recipe.calibration, sequences: 24, seqlen: 128 } },
    'Paused after three blocks',
  );
  await compressed(page, stopped, 3);
  await ask(page, 'runs.pause', { id: stopped });
  await reached(page, stopped, 'paused');
  const broken = join(folder, 'broken-model');
  mkdirSync(broken);
  await choose(app, broken);
  await ask(page, 'library.add', { paths: await ask(page, 'files.choose', { purpose: 'model' }) });

  const target = join(folder, 'exported');
  mkdirSync(target);
  await choose(app, target);
  await page.evaluate((to) => (location.hash = to), `/runs/${finished}/export`);
  await page.getByRole('button', { name: 'Write: GPTQ folder' }).click();
  await page.getByText('Written', { exact: true }).waitFor();
  // The perplexity of the file is the run's: the same weights come out of it.
  await page.getByText(/^\d+\.\d\d \(run: \d+\.\d\d; 1\.0000 ×\)$/).waitFor();

  const addresses: Record<string, string> = {
    models: '/models',
    model: '/models/demo',
    new: '/new?model=demo',
    run: `/runs/${finished}`,
    'run-paused': `/runs/${stopped}`,
    history: '/history',
    compare: `/compare?ids=${finished},${uniform}`,
    export: `/runs/${finished}/export`,
    settings: '/settings',
  };
  await page.evaluate((to) => (location.hash = to), '/new?model=demo');
  await page.locator('[data-field="quantization.bits"]').getByText('4', { exact: true }).click();
  const faults: string[] = [];
  for (const language of ['en', 'zh-TW'] as const) {
    for (const theme of ['light', 'dark'] as const) {
      await ask(page, 'settings.set', { language, theme });
      for (const [name, address] of Object.entries(addresses)) {
        await page.evaluate((to) => (location.hash = to), address);
        for (const { width, height } of sizes) {
          await page.setViewportSize({ width, height });
          if (name === 'new') await page.getByRole('table').first().waitFor();
          await settled(page);
          await page.screenshot({ path: join(screens, `${name}-${language}-${theme}-${width}.png`) });
          expect(
            await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
            name,
          ).toBeLessThanOrEqual(0);
        }
        // The structure is the same in both languages and sizes; the colours are not in both themes.
        if (language === 'en')
          faults.push(...(await seriousFaults(page)).map((fault) => `${name}, ${theme}: ${fault}`));
      }
    }
  }
  expect(faults).toEqual([]);
});

/** Nothing is being asked of main, the last answer has been painted, and nothing moves that comes to an end. */
async function settled(page: Page): Promise<void> {
  await page
    .locator('[aria-busy=true], .mantine-Loader-root, .mantine-Skeleton-root')
    .first()
    .waitFor({ state: 'detached' });
  await page.evaluate(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const ending = document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
}
