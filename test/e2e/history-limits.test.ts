import { describe as sentence } from '../../src/contract/describe.ts';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import SQLite from 'better-sqlite3';
import type { ElectronApplication } from 'playwright';
import { describe, expect } from 'vitest';

import { TamisError } from '../../src/contract/errors.ts';
import type { RunRow } from '../../src/contract/history.ts';
import { labels } from '../../src/contract/messages/labels.ts';
import { History } from '../../src/main/history/history.ts';
import { newestVersion } from '../../src/main/history/migrations/index.ts';
import { openStore } from '../../src/main/history/open.ts';
import { fillHistory } from '../fixtures/synthetic-runs.ts';
import { sampleReport } from '../fixtures/report.ts';
import { finishRun } from '../fixtures/run-folders.ts';
import { readReportOf } from '../integration/helpers.ts';
import { test } from './application.ts';
import { ask, rowOf, startRun, tinyRecipe } from './ask.ts';
import { commandOf } from './launch.ts';
import { isAlive, processesWith } from './processes.ts';

const anotherUser = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** A history with one finished run, closed. */
async function oneRun(folder: string): Promise<{ path: string; row: RunRow; bytes: Buffer }> {
  const data = join(folder, 'user-data');
  mkdirSync(data);
  const path = join(data, 'history.sqlite');
  const { store } = openStore(path);
  const row = await finished(new History(store), data, 'The only one');
  store.close();
  return { path, row, bytes: readFileSync(path) };
}

async function finished(history: History, data: string, name: string): Promise<RunRow> {
  const report = sampleReport(2);
  const [row] = await history.queue({ name, recipes: [report.recipe], runsFolder: join(data, 'runs') });
  if (!row) throw new Error('no run');
  finishRun(row.path, report);
  history.start(row.id);
  return (await history.finish(row.id)).row;
}

/** Starts the application where it cannot start: what it says, once it says it, and until it is told to end. */
async function refusalOf(folder: string, as: readonly string[] = []): Promise<string> {
  const { executable, args, env } = await commandOf({ folder });
  const [command = '', ...rest] = [...as, executable, '--no-sandbox', ...args];
  const main = spawn(command, rest, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  main.stderr.setEncoding('utf8').on('data', (written: string) => (text += written));
  await expect.poll(() => text).toMatch(/^tamis: .*\n/m);
  // It waits for whoever reads its dialog.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(isAlive(main.pid ?? 0)).toBe(true);
  const ended = once(main, 'exit');
  main.kill('SIGTERM');
  await ended;
  await expect.poll(() => processesWith(folder)).toEqual([]);
  return /^tamis: (.*)$/m.exec(text)?.[1] ?? '';
}

/** The application's connection takes not one page more. */
async function fill(app: ElectronApplication): Promise<void> {
  await app.evaluate(({ app: main }) => {
    const require = process.getBuiltinModule('node:module').createRequire(`${main.getAppPath()}/package.json`);
    const { prototype } = require('better-sqlite3') as typeof SQLite;
    const transaction = Reflect.get(prototype, 'transaction');
    prototype.transaction = function (action) {
      this.pragma(`max_page_count = ${String(this.pragma('page_count', { simple: true }))}`);
      return transaction.call(this, action) as never;
    };
  });
}

describe('a history that', () => {
  test('only another user may write: says so, and is as it was', async ({ folder, skip }) => {
    const { path, bytes } = await oneRun(folder);
    const as = process.getuid?.() === 0 ? anotherUser : [];
    const { executable } = await commandOf({ folder });
    if (spawnSync(as[0] ?? 'test', [...as.slice(1), ...(as.length > 0 ? ['test'] : []), '-x', executable]).status !== 0)
      skip('the checkout is closed to other users');
    for (const open of [folder, join(folder, 'user-data')]) chmodSync(open, 0o777);
    chmodSync(path, 0o444);
    expect(await refusalOf(folder, as)).toBe(sentence(new TamisError('history.read-only', { path }), 'en'));
    expect(readFileSync(path)).toEqual(bytes);
  });

  test('is of a newer version: says so, and is as it was', async ({ folder }) => {
    const { path } = await oneRun(folder);
    const database = new SQLite(path);
    database.pragma(`user_version = ${newestVersion + 1}`);
    database.close();
    const bytes = readFileSync(path);
    const params = { path, version: newestVersion + 1, known: newestVersion };
    expect(await refusalOf(folder)).toBe(sentence(new TamisError('history.newer', params), 'en'));
    expect(readFileSync(path)).toEqual(bytes);
  });

  test('is damaged in the middle: is kept aside and made anew from the folders of its runs', async ({
    folder,
    start,
  }) => {
    const data = join(folder, 'user-data');
    mkdirSync(data);
    const path = join(data, 'history.sqlite');
    const { store } = openStore(path);
    const history = new History(store);
    const kept = [await finished(history, data, 'The first'), await finished(history, data, 'The second')];
    fillHistory(store, 500);
    store.close();
    const bytes = readFileSync(path);
    const middle = Math.floor(bytes.length / 2);
    bytes.fill(0x5a, middle - 20_000, middle + 20_000);
    writeFileSync(path, bytes);

    const { page } = await start();
    const aside = readdirSync(data).find((name) => /^history\.damaged-.*\.sqlite$/.test(name)) ?? 'none';
    expect(readFileSync(join(data, aside))).toEqual(bytes);
    const told = sentence(new TamisError('history.rebuilt', { path, aside: join(data, aside) }), 'en');
    await page.getByText(told).waitFor();
    const rows = async (): Promise<RunRow[]> => await Promise.all(kept.map(({ id }) => rowOf(page, id)));
    await expect.poll(() => rows().catch(() => [])).toEqual(kept);
  });

  test('is full: says so, and a run that ends meanwhile is finished at the next start', async ({ start }) => {
    const first = await start();
    const { evaluation, ...recipe } = await tinyRecipe(first.page, { blocks: 2 });
    // What comes with the end of the run fills more than a page.
    const datasets = (evaluation?.datasets ?? []).map((dataset) => ({ ...dataset, name: 'long '.repeat(3000) }));
    const id = await startRun(first.page, { ...recipe, evaluation: { ...evaluation, datasets, windows: 1 } });
    await fill(first.app);
    const { path } = await rowOf(first.page, id);
    const update = { id, name: 'n', notes: 'x'.repeat(10_000), tags: [] };
    await expect(ask(first.page, 'runs.update', update)).rejects.toMatchObject({ code: 'history.full' });
    await expect.poll(() => existsSync(join(path, 'report.json'))).toBe(true);
    const database = join(path, '../../history.sqlite');
    await first.page.getByText(sentence(new TamisError('history.full', { path: database }), 'en')).waitFor();
    expect((await rowOf(first.page, id)).name).toBe('test');
    await first.close();

    const second = await start();
    const row = await rowOf(second.page, id);
    expect(row).toMatchObject({ state: 'finished', name: 'test' });
    expect(row.sparsity).toBe(readReportOf(path).sparsity.actual);
    await second.page.getByRole('link', { name: labels('en')('app.history') }).click();
    await second.page.getByRole('row', { name: /test/ }).waitFor();
  });
});
