import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Page } from 'playwright';
import { expect } from 'vitest';

import { startHub } from '../fixtures/hub-server.ts';
import { writeTinyOpt } from '../fixtures/tiny-opt.ts';
import { test } from './application.ts';
import { ask } from './ask.ts';
import { seriousFaults } from './axe.ts';

const screens = fileURLToPath(new URL('../../test-results/screens', import.meta.url));

test('a model from the hub: shown first, fetched, paused, gone on with after the next start, and in the library', async ({
  start,
  folder,
}) => {
  mkdirSync(screens, { recursive: true });
  const model = writeTinyOpt(join(folder, 'tiny'));
  const files = Object.fromEntries(readdirSync(model).map((name) => [name, readFileSync(join(model, name))]));
  const size = files['model.safetensors']?.length ?? 0;
  let isSilent = true;
  const hub = await startHub({
    repository: 'tiny/opt',
    files,
    fault: ({ host }) => (host === 'cdn' && isSilent ? { kind: 'silence', after: Math.floor(size / 2) } : null),
  });
  const environment = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: 'hf_secret' };
  try {
    const first = await start({ environment });
    const { page } = first;
    await page.getByRole('button', { name: 'Add a model' }).click();
    await page.getByLabel('Repository').fill('tiny/nothing');
    await page.keyboard.press('Enter');
    await page.getByText(/revision\/main does not exist/).waitFor();
    await page.getByLabel('Repository').fill('tiny/opt');
    await page.keyboard.press('Enter');
    await page.getByRole('cell', { name: 'model.safetensors' }).waitFor();
    await picture(page, 'add');
    await page.getByRole('button', { name: 'Fetch', exact: true }).click();
    await expect.poll(async () => (await ask(page, 'downloads.list', null))[0]?.done).toBeGreaterThan(size / 3);
    await picture(page, 'download');
    await page.getByRole('button', { name: 'Pause: tiny/opt' }).click();
    await page.getByText(/^Paused at/).waitFor();
    await first.close();

    isSilent = false;
    const second = await start({ environment });
    await second.page.getByText(/^Paused at/).waitFor();
    await second.page.getByRole('button', { name: 'Resume: tiny/opt' }).click();
    await second.page.getByText(/all checksums right/).waitFor();
    await expect
      .poll(async () => (await ask(second.page, 'library.list', null)).at(-1))
      .toMatchObject({
        name: 'tiny--opt',
        state: { kind: 'ready' },
      });
    expect(await ask(second.page, 'downloads.list', null)).toEqual([]);
    const ranges = hub.asked.filter(({ host }) => host === 'cdn').map(({ headers }) => headers.range);
    expect(ranges.at(-1)).toMatch(/^bytes=[1-9]\d*-$/);
    expect(hub.asked.filter(({ host, headers }) => host === 'cdn' && headers.authorization !== undefined)).toEqual([]);
    expect(hub.asked.some(({ headers }) => headers.authorization === 'Bearer hf_secret')).toBe(true);
  } finally {
    await hub.close();
  }
});

test('the token is never given back, and goes with no other endpoint', async ({ start, folder }) => {
  const { page } = await start();
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByLabel('Endpoint').fill('ftp://example.org');
  await page.getByText(/is not the address of a hub/).waitFor();
  await page.getByLabel('Endpoint').fill('https://mirror.example');
  await page.keyboard.press('Enter');
  await expect
    .poll(async () => (await ask(page, 'app.boot', null)).settings.hubEndpoint)
    .toBe('https://mirror.example');
  await page.getByLabel('Token', { exact: true }).fill('hf_secret');
  await page.getByRole('button', { name: 'Save token' }).click();
  // There is no keyring where the tests run.
  await page.getByText(/kept until Tamis closes/).waitFor();
  await ask(page, 'settings.set', { hubEndpoint: 'https://other.example' });
  expect(await ask(page, 'hub.token', null)).toBe('none');
  await ask(page, 'settings.set', { hubEndpoint: 'https://mirror.example' });
  expect(await ask(page, 'hub.token', null)).toBe('session');
  const data = join(folder, 'user-data');
  for (const name of readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()))
    expect(readFileSync(join(name.parentPath, name.name)).includes('hf_secret'), name.name).toBe(false);
});

/** In both themes and both languages, without a serious fault of accessibility. */
async function picture(page: Page, name: string): Promise<void> {
  const faults: string[] = [];
  for (const [language, theme] of [
    ['zh-TW', 'dark'],
    ['en', 'light'],
  ] as const) {
    await ask(page, 'settings.set', { language, theme });
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(screens, `${name}-${language}-${theme}.png`) });
    faults.push(...(await seriousFaults(page)));
  }
  expect(faults).toEqual([]);
}
