import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import type { ElectronApplication, Page } from 'playwright';
import { expect } from 'vitest';

import { fixed, percent, perplexity, significant } from '../../src/contract/format.ts';
import { newestRuns } from '../../src/contract/history.ts';
import type { Report } from '../../src/contract/report.ts';
import { readReportOf } from '../integration/helpers.ts';
import { test } from './application.ts';
import { ask, openExports } from './ask.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

/** The value at a path such as `layers.3.sparsity`. */
function valueAt(report: Report, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], report);
}

/** How the pages may write a number of the report: each of these is that number, rounded. */
function writings(value: number): string[] {
  const decimals = [0, 1, 2, 3, 4].flatMap((digits) => [fixed(value, digits), percent(value, digits)]);
  return [
    String(value),
    perplexity(value),
    ...decimals,
    ...[2, 3, 4, 5, 6].map((digits) => significant(value, digits)),
  ];
}

/** Every figure on the page with the path that it claims to be of. */
async function figuresOn(page: Page): Promise<{ path: string; text: string }[]> {
  return await page.locator('[data-figure]').evaluateAll((elements) =>
    elements.map((element) => ({
      path: element.getAttribute('data-figure') ?? '',
      text: (element as HTMLElement).innerText,
    })),
  );
}

/** Units and thousands' spaces are the page's; the digits are the report's. */
function expectOfReport(report: Report, { path, text }: { path: string; text: string }): void {
  const value = valueAt(report, path);
  expect(value, `${path} is not in report.json`).toBeDefined();
  if (typeof value !== 'number') return;
  const shown = text.replaceAll('\u202f', '').replaceAll('\u2009', '');
  const isBytes = /[KMGT]iB|\d B$/.test(shown);
  const isTime = / (s|min|h)\b/.test(shown);
  if (isBytes || isTime) {
    expectMeasure(value, shown, path);
    return;
  }
  const [digits = ''] = /[−-]?[\d.]+(·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?/.exec(shown) ?? [];
  expect(writings(value), `${path} is ${value}, the page shows ${text}`).toContain(digits);
}

const units: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  s: 1,
  min: 60,
  h: 3600,
};

/** Bytes and seconds, worked out from what is shown: within half of the last digit's unit. */
function expectMeasure(value: number, shown: string, path: string): void {
  const parts = [...shown.matchAll(/([\d.]+) (KiB|MiB|GiB|TiB|B|s|min|h)\b/g)];
  const total = parts.reduce((sum, [, digits, unit = '']) => sum + Number(digits) * (units[unit] ?? NaN), 0);
  const [, digits = '', unit = ''] = parts.at(-1) ?? [];
  const step = (units[unit] ?? NaN) / (digits.includes('.') ? 10 : 1);
  expect(Math.abs(total - value), `${path} is ${value}, the page shows ${shown}`).toBeLessThanOrEqual(step * 0.51);
}

/** What main asks the system to open. */
async function recordOpened(app: ElectronApplication): Promise<() => Promise<string[]>> {
  await app.evaluate(({ shell }) => {
    const opened: string[] = [];
    Object.assign(globalThis, { opened });
    shell.openPath = (path) => {
      opened.push(path);
      return Promise.resolve('');
    };
  });
  return async () => await app.evaluate(() => (globalThis as unknown as { opened: string[] }).opened);
}

test('from the first start to a finished scheduled run of the demo model, in three clicks', async ({
  start,
  folder,
}) => {
  const { app, page } = await start();
  await page
    .getByRole('link', { name: /^Compress/ })
    .or(page.getByRole('button', { name: /^Compress/ }))
    .first()
    .click();
  await page.getByRole('button', { name: 'Start', exact: true }).click();

  // While it goes: stages, remaining time, and the map and the chart fill.
  await page.getByText('Running', { exact: true }).first().waitFor();
  await page.getByText(/^Remaining: Compress/).waitFor();
  for (const chart of [/^Layer map/, /^log₁₀ estimate against log₁₀ measured sensitivity/]) {
    const layers = page.getByRole('img', { name: chart }).locator('[data-layer]');
    await expect.poll(() => layers.count()).toBe(48);
  }

  await page.getByText('Finished', { exact: true }).first().waitFor();
  const { rows } = await ask(page, 'runs.list', newestRuns);
  const [row] = rows;
  if (!row) throw new Error('the history is empty');
  const report = readReportOf(row.path);
  expect(report.recipe.scheduler.kind).toBe('auto');
  expect(report.sparsity.actual).toBeCloseTo(0.7, 2);
  // On this model and these texts; SparseGPT comes to 87.8 (docs/scheduling.md).
  const [perplexities] = perplexitiesOf(report);
  expect(perplexities?.dense).toBeCloseTo(77.64, 1);
  expect(Math.abs((perplexities?.compressed ?? NaN) / 80.19 - 1)).toBeLessThan(0.02);

  const overview = await figuresOn(page);
  for (const figure of overview) expectOfReport(report, figure);
  const paths = new Set(overview.map(({ path }) => path));
  expect(paths).toContain('measured.0.dense.value');
  expect(paths).toContain('measured.0.compressed.value');
  expect(paths).toContain('sparsity.actual');
  for (const tab of ['Layers', 'Details']) {
    await page.getByRole('tab', { name: tab }).click();
    const figures = await figuresOn(page);
    expect(figures.length, tab).toBeGreaterThan(3);
    for (const figure of figures) expectOfReport(report, figure);
  }

  const opened = await recordOpened(app);
  await page.getByRole('button', { name: 'Open report' }).click();
  await expect.poll(opened).toEqual([join(row.path, 'report.html')]);

  const target = join(folder, 'exported');
  await openExports(app, page, target);
  await page.getByRole('button', { name: 'Write: Dense folder' }).click();
  await page.getByText('Written', { exact: true }).waitFor();
  const [written = ''] = readdirSync(target);
  expect(readdirSync(join(target, written))).toEqual(
    expect.arrayContaining([
      'config.json',
      'model.safetensors.index.json',
      'report.html',
      'report.json',
      'tokenizer.json',
    ]),
  );
  expect(existsSync(join(target, written, 'state'))).toBe(false);
});
