import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'vitest';

import { whole } from '../../src/contract/format.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { test } from './application.ts';
import { ask, choose, reached, startRun, tinyRecipe } from './ask.ts';

test('a broken folder is refused with its reason; a good one is read, followed, and removed without a file', async ({
  start,
  folder,
}) => {
  const { app, page } = await start();
  const broken = join(folder, 'broken');
  mkdirSync(broken);
  cpSync(join(demoModel, 'config.json'), join(broken, 'config.json'));
  writeFileSync(join(broken, 'model.safetensors'), 'not a checkpoint');
  await choose(app, broken);
  await page.getByRole('button', { name: 'Add a model' }).click();
  await page.getByRole('button', { name: 'Choose a folder …' }).click();
  await page
    .getByText(/model\.safetensors announces a header of/)
    .first()
    .waitFor();

  const good = join(folder, 'my-model');
  cpSync(demoModel, good, { recursive: true });
  await choose(app, good);
  await page.getByRole('button', { name: 'Add a model' }).click();
  await page.getByRole('button', { name: 'Choose a folder …' }).click();
  await page.getByText('my-model', { exact: true }).first().waitFor();
  const added = async () => (await ask(page, 'library.list', null)).find(({ path }) => path === good)?.state.kind;
  await expect.poll(added).toBe('ready');

  renameSync(good, `${good}-moved`);
  await expect.poll(added).toBe('missing');
  renameSync(`${good}-moved`, good);
  await expect.poll(added).toBe('ready');
  writeFileSync(join(good, 'config.json'), '{"model_type":"unheard-of"}');
  await expect.poll(added).toBe('refused');

  const { id = '' } = (await ask(page, 'library.list', null)).find(({ path }) => path === good) ?? {};
  await ask(page, 'library.remove', { id });
  expect(existsSync(join(good, 'model.safetensors'))).toBe(true);
  await expect(ask(page, 'library.remove', { id: 'demo' })).rejects.toMatchObject({ code: 'model.demo-stays' });
});

test('the tensors of a model, with zeros counted on request', async ({ start }) => {
  const { page } = await start();
  await page.getByRole('link', { name: 'demo-model', exact: true }).click();
  await page.getByText('model.decoder.embed_tokens.weight').waitFor();
  const tensors = await ask(page, 'library.tensors', { id: 'demo' });
  const header = readHeader(join(demoModel, 'model.safetensors'));
  expect(tensors.map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual(
    expect.arrayContaining(Object.entries(header).map(([name, { shape, dtype }]) => ({ name, shape, dtype }))),
  );
  await page.getByRole('button', { name: 'Count zeros' }).click();
  const name = 'model.decoder.embed_tokens.weight';
  const zeros = whole(countZeros(join(demoModel, 'model.safetensors'), name));
  await page.getByRole('row').filter({ hasText: name }).getByText(zeros, { exact: true }).first().waitFor();
});

/** Zeros of a float16 tensor, plus or minus, counted by hand. */
function countZeros(path: string, name: string): number {
  const file = readFileSync(path);
  const data = 8 + Number(file.readBigUInt64LE(0));
  const [begin = 0, end = 0] = readHeader(path)[name]?.data_offsets ?? [];
  let zeros = 0;
  for (let at = data + begin; at < data + end; at += 2) if ((file.readUInt16LE(at) & 0x7fff) === 0) zeros++;
  return zeros;
}

/** Name, shape and dtype from a safetensors file's header, read by hand. */
function readHeader(path: string): Record<string, { shape: number[]; dtype: string; data_offsets: [number, number] }> {
  const file = readFileSync(path);
  const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE(0)))) as Record<string, never>;
  return Object.fromEntries(Object.entries(header).filter(([name]) => name !== '__metadata__'));
}

test('language and theme, at once and after the next start', async ({ start }) => {
  const first = await start();
  await first.page.getByRole('link', { name: 'Settings' }).click();
  await first.page.getByRole('heading', { name: 'Settings' }).waitFor();
  await first.page.getByText('繁體中文').click();
  await first.page.getByRole('heading', { name: '設定' }).waitFor();
  await first.page.getByText('深色').click();
  const scheme = () => document.documentElement.getAttribute('data-mantine-color-scheme');
  await expect.poll(async () => await first.page.evaluate(scheme)).toBe('dark');
  expect(await first.app.evaluate(({ nativeTheme }) => nativeTheme.themeSource)).toBe('dark');
  await first.close();
  const second = await start();
  await second.page.getByRole('link', { name: '歷史紀錄' }).waitFor();
  expect(await second.page.evaluate(scheme)).toBe('dark');
  const menu = await second.app.evaluate(({ Menu }) => Menu.getApplicationMenu()?.items.map(({ label }) => label));
  expect(menu).toContain('檔案');
});

test('two runs compared from the history; one deleted there, which frees its space', async ({ start }) => {
  const { page } = await start();
  const scheduled = await startRun(page, await tinyRecipe(page), 'scheduled');
  const uniform = await startRun(page, await tinyRecipe(page, { scheduler: { kind: 'uniform' } }), 'uniform');
  await reached(page, scheduled, 'finished');
  const { path } = await reached(page, uniform, 'finished');
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByRole('checkbox', { name: 'Select scheduled' }).click();
  await page.getByRole('checkbox', { name: 'Select uniform' }).click();
  await page
    .getByRole('link', { name: /^Compare \(2\)/ })
    .or(page.getByRole('button', { name: /^Compare \(2\)/ }))
    .click();
  await page.getByRole('heading', { name: 'Compare' }).waitFor();
  await page.getByText('uniform: every layer at the target').waitFor();
  await page.getByRole('rowheader', { name: 'Method' }).waitFor();
  await page.getByRole('switch', { name: 'Differences only' }).click();
  await page.getByRole('rowheader', { name: 'Method' }).waitFor({ state: 'detached' });
  await page.getByRole('rowheader', { name: /^Scheduler/ }).waitFor();

  await page.getByRole('link', { name: 'History' }).click();
  await page.getByRole('checkbox', { name: 'Select uniform' }).click();
  await page.getByRole('button', { name: /^Delete \(1\)/ }).click();
  await page.getByText(/which frees 1\d\.\d MiB/).waitFor();
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^Delete/ })
    .click();
  await expect.poll(() => existsSync(path)).toBe(false);
  await page.getByRole('checkbox', { name: 'Select uniform' }).waitFor({ state: 'detached' });
});
