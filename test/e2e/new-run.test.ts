import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Locator, Page } from 'playwright';
import { expect } from 'vitest';

import { parseRecipe } from '../../src/contract/recipe.ts';
import type { RunQuery } from '../../src/contract/history.ts';
import type { Report } from '../../src/contract/report.ts';
import { test } from './application.ts';
import { ask, reached, tinyRecipe } from './ask.ts';
import { field, figure, loadRecipe, packedBits } from './new-run.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

async function openNewRun(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'New run' }).click();
  await figure(page, 'Weights, packed').waitFor();
}

test('the plan follows the fields; what differs from the preset is marked, and goes back one by one', async ({
  start,
}) => {
  const { page } = await start();
  await openNewRun(page);
  const at70 = await packedBits(page);
  const targets = field(page, 'Target sparsity, %');
  await targets.fill('90');
  await expect.poll(async () => await packedBits(page)).toBeLessThan(at70);
  await field(page, 'Seed').fill('7');
  await page.getByRole('button', { name: "Target sparsity, %: back to the preset's value" }).click();
  expect(await targets.inputValue()).toBe('70');
  await expect.poll(async () => await packedBits(page)).toBe(at70);
  expect(await field(page, 'Seed').inputValue()).toBe('7');

  // What each scheduler does and costs, and the stages of those that are chosen.
  const stages = page.getByRole('table', { name: 'By stage' });
  const checkbox = (kind: RegExp): Locator => page.getByRole('checkbox', { name: kind });
  await stages.getByText('Try the schedules').waitFor();
  expect(await page.getByText('and by these compressions.').count()).toBe(1);
  await checkbox(/^allocate/).check();
  await checkbox(/^auto/).uncheck();
  await stages.getByText('Try the schedules').waitFor({ state: 'detached' });
  await field(page, 'Most from the target, points').fill('0');
  await page.getByText('Most from the target, points: Give more than 0.').waitFor();
  await checkbox(/^auto/).check();
  await checkbox(/^allocate/).uncheck();

  await field(page, 'Damping').fill('0');
  await page.getByText('Damping: Give more than 0.').waitFor();
  const startButton = page.getByRole('button', { name: 'Start', exact: true });
  expect(await startButton.isDisabled()).toBe(true);
  await field(page, 'Damping').fill('0.01');
  await field(page, 'Memory budget (GiB)').fill('0.1');
  await page.getByText(/needs \d+ MiB, and the memory budget is 102 MiB/).waitFor();
  expect(await startButton.isDisabled()).toBe(true);
  await field(page, 'Memory budget (GiB)').fill('');
  await field(page, 'Sequences').fill('1000000');
  await page.getByText(/needs (about )?\d+ MiB of (disk|memory), and \d+ MiB are free/).waitFor();
  expect(await startButton.isDisabled()).toBe(true);

  // Another page and back: nothing is lost.
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('link', { name: 'New run' }).click();
  expect(await field(page, 'Sequences').inputValue()).toBe('1000000');
});

test('two blocks tried replace the estimates, and leave nothing behind', async ({ start, folder }) => {
  const { page } = await start();
  await openNewRun(page);
  await field(page, 'Sequences').fill('8');
  await field(page, 'Calibration seqlen').fill('64');
  await field(page, 'Windows of each').fill('4');
  await page.getByText('of the settings before').waitFor({ state: 'detached' });
  const tryButton = page.getByRole('button', { name: 'Try two blocks' });
  await tryButton.click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await tryButton.waitFor();
  expect(await page.getByText('measured on 2 blocks').count()).toBe(0);

  await tryButton.click();
  await page
    .getByText('measured on 2 blocks; not tried, calculated: Estimate the layers, Try the schedules')
    .first()
    .waitFor();
  const time = await figure(page, 'Time').innerText();
  expect(time).toMatch(/^\d+(\.\d)? (s|min \d+ s)$/);
  expect(readdirSync(join(folder, 'user-data/runs'))).toEqual([]);

  await field(page, 'Sequences').fill('9');
  await page.getByText('measured on 2 blocks').first().waitFor({ state: 'detached' });
});

test('several targets and schedulers are queued as one sweep, after one estimate pass', async ({ start, folder }) => {
  const { page, app } = await start();
  await openNewRun(page);
  await loadRecipe(page, app, folder, await tinyRecipe(page));
  await field(page, 'Target sparsity, %').fill('60, 70');
  await page.getByRole('checkbox', { name: /^uniform/ }).check();
  await field(page, 'Name of the run').fill('sweep of four');
  await page.getByRole('button', { name: 'Start 4 runs' }).click();
  await page.getByRole('heading', { name: 'History' }).waitFor();
  const { rows } = await ask(page, 'runs.list', oldestFirst('sweep of four'));
  expect(new Set(rows.map(({ sweep }) => sweep)).size).toBe(1);
  expect(rows.map(({ scheduler, targetSparsity }) => `${scheduler} ${targetSparsity}`).sort()).toEqual([
    'kmeans 0.6',
    'kmeans 0.7',
    'uniform 0.6',
    'uniform 0.7',
  ]);
  for (const { id } of rows) await reached(page, id, 'finished');
  const measured = await Promise.all(
    rows.map(async ({ id }) => {
      const events = await ask(page, 'runs.events', { id });
      return events.filter(({ event }) => event.type === 'estimate').length;
    }),
  );
  // One of the scheduled runs measures the 48 layers; the other finds them measured.
  expect(measured.sort()).toEqual([0, 0, 0, 48]);
});

test('a goal is searched for by runs of one sweep; the page of each lists them and says which fits', async ({
  start,
  folder,
}) => {
  const { page, app } = await start();
  const tiny = await tinyRecipe(page, { scheduler: { kind: 'uniform' } });
  const quick = { ...tiny, evaluation: { ...tiny.evaluation, windows: 32 } };
  /** The reports of the attempts, oldest first, once one of them fits. */
  const search = async (aim: 'size' | 'perplexity', goal: string, name: string): Promise<Report[]> => {
    await page.locator('[data-field=aim]').getByText(aim, { exact: true }).click();
    await field(page, aim === 'size' ? 'Packed archive, at most' : 'Perplexity, on the first dataset').fill(goal);
    await field(page, 'Name of the run').fill(name);
    await figure(page, 'Search for the goal').waitFor();
    expect(await figure(page, 'Search for the goal').innerText()).toBe('at most 4 runs');
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    const attempts = page.getByRole('region', { name: 'Attempts at the goal' });
    await attempts.getByText('fits', { exact: true }).waitFor();
    const { rows } = await ask(page, 'runs.list', oldestFirst(name));
    expect(rows.map((row) => row.name)).toEqual(
      [name, `${name} · 2`, `${name} · 3`, `${name} · 4`].slice(0, rows.length),
    );
    expect(new Set(rows.map(({ sweep }) => sweep)).size).toBe(1);
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['finished']));
    expect(await attempts.getByRole('row').filter({ hasText: name }).count()).toBe(rows.length);
    const fitting = attempts.getByRole('row').filter({ hasText: 'fits' });
    expect(await fitting.count()).toBe(1);
    const last = rows.at(-1)?.name ?? '';
    expect(await fitting.innerText()).toContain(last);
    if (rows.length > 1) await fitting.getByRole('link').click();
    await page.getByRole('heading', { level: 1, name: last, exact: true }).waitFor();
    return await ask(page, 'runs.reports', { ids: rows.map(({ id }) => id) });
  };

  await openNewRun(page);
  await loadRecipe(page, app, folder, { ...quick, quantization: { bits: 4, symmetric: true } });
  const sized = (await search('size', '5.5MB', 'to a size')).map(({ packedBytes }) => packedBytes ?? NaN);
  expect(sized.length).toBeGreaterThan(1);
  expect(sized.at(-1)).toBeLessThanOrEqual(5.5e6);
  expect(sized.at(-1)).toBeGreaterThanOrEqual(0.99 * 5.5e6);
  // The first of them chose the bits.
  await page
    .getByRole('region', { name: 'Attempts at the goal' })
    .getByRole('link', { name: 'to a size', exact: true })
    .click();
  const bits = page.getByRole('region', { name: 'Bits to choose from' });
  await bits.waitFor();
  expect(await bits.getByRole('row').count()).toBe(1 + 3);
  expect(await bits.getByRole('row').filter({ hasText: 'taken' }).count()).toBe(1);

  await openNewRun(page);
  await loadRecipe(page, app, folder, quick);
  const perplexities = (await search('perplexity', '120', 'to a perplexity')).map(
    (report) => perplexitiesOf(report)[0],
  );
  expect(Math.abs((perplexities.at(-1)?.compressed ?? 0) / 120 - 1)).toBeLessThanOrEqual(0.01);
});

test('a recipe is saved, loaded and copied as a command', async ({ start, folder }) => {
  const { page, app } = await start();
  await openNewRun(page);
  await page.getByRole('checkbox', { name: /^owl/ }).check();
  await page.getByRole('checkbox', { name: /^auto/ }).uncheck();
  await field(page, 'λ: half of the range of sparsities').fill('0.05');
  await page.locator('[data-field="quantization.bits"]').getByText('4', { exact: true }).click();
  await page.getByRole('button', { name: 'Add an exception' }).click();
  await field(page, 'Layers of exception 1').fill('*.fc2');
  const file = join(folder, 'saved.json');
  await app.evaluate(({ dialog }, filePath) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath });
  }, file);
  await page.getByRole('button', { name: 'Save …' }).click();
  await expect.poll(() => readFileSync(file, { encoding: 'utf8', flag: 'a+' })).toContain('"owl"');
  const saved = parseRecipe(JSON.parse(readFileSync(file, 'utf8')));
  expect(saved.scheduler).toEqual({ kind: 'owl', lambda: 0.05, m: 5 });
  expect(saved.quantization).toMatchObject({ bits: 4, groupSize: 128, exceptions: [{ layers: '*.fc2', bits: null }] });

  await page.getByRole('button', { name: 'Copy as command' }).click();
  await page.getByText('Copied.').waitFor();
  const command = await app.evaluate(({ clipboard }) => clipboard.readText());
  expect(command).toMatch(/^tamis compress \S+ --method admm --sparsity 0.7 --scheduler owl --lambda 0.05 /);

  await loadRecipe(page, app, folder, {
    ...saved,
    seed: 42,
    scheduler: { kind: 'uniform' },
    quantization: null,
  });
  await expect.poll(async () => await field(page, 'Seed').inputValue()).toBe('42');
  expect(await page.getByRole('checkbox', { name: /^uniform/ }).isChecked()).toBe(true);
  expect(await page.getByRole('checkbox', { name: /^owl/ }).isChecked()).toBe(false);
  expect(await field(page, 'Layers of exception 1').count()).toBe(0);
});

test('every page and command from the keyboard', async ({ start }) => {
  const { page } = await start();
  const heading = async (name: string): Promise<void> => page.getByRole('heading', { level: 1, name }).waitFor();
  await heading('Models');
  await page.keyboard.press('Control+2');
  await heading('History');
  await page.keyboard.press('Control+,');
  await heading('Settings');
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog', { name: 'Search' }).waitFor();
  await page.keyboard.type('compress demo');
  await page.keyboard.press('Enter');
  await heading('New run');
  await page.keyboard.press('Escape');
  await page.locator('h1').click();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+1');
  await heading('Models');
  await page.getByRole('grid', { name: 'Models' }).focus();
  await page.keyboard.press('Enter');
  await heading('demo-model');
});

/** Runs that a search finds, in the order in which they were queued. */
const oldestFirst = (search: string): RunQuery => ({
  search,
  states: [],
  bits: [],
  model: null,
  sort: { column: 'createdAt', descending: false },
  offset: 0,
  limit: 10,
});
