import { describe as sentence } from '../../../src/contract/describe.ts';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import SQLite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { newestRuns, type RunQuery } from '../../../src/contract/history.ts';
import { parseRecipe } from '../../../src/contract/recipe.ts';
import { openDatabase } from '../../../src/main/history/database.ts';
import { History } from '../../../src/main/history/history.ts';
import { migrations, newestVersion } from '../../../src/main/history/migrations/index.ts';
import { openStore } from '../../../src/main/history/open.ts';
import { Store } from '../../../src/main/history/store.ts';
import { finishRun } from '../../fixtures/run-folders.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');
const all: RunQuery = { ...newestRuns, sort: { column: 'name', descending: false } };
const recipe = parseRecipe({ model: '/models/opt-125m', calibration: { corpus: { kind: 'tokens', path: '/c' } } });

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-database-'));
  path = join(folder, 'history.sqlite');
});
afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true });
});

function schema(database: SQLite.Database): unknown[] {
  return database
    .prepare("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    .all();
}

function code(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(sentence(error, 'en')).toContain(path);
    return (error as { code: string }).code;
  }
  return 'none';
}

describe('migrations', () => {
  const versions = readdirSync(join(fixtures, 'history')).map((name) => Number(/version-(\d+)\.sql/.exec(name)?.[1]));

  test('every version before the newest has its database here', () => {
    expect(versions.sort()).toEqual(migrations.slice(1).map((_, index) => index + 1));
  });

  test.each(versions)('version %i becomes the newest and keeps what was in it', (version) => {
    const old = new SQLite(path);
    old.exec(readFileSync(join(fixtures, 'history', `version-${version}.sql`), 'utf8'));
    expect(old.pragma('user_version', { simple: true })).toBe(version);
    old.close();
    const { store, notices } = openStore(path);
    const [first, third, second] = store.page(all).rows;
    expect(notices).toEqual([]);
    expect(first).toEqual({
      id: 'r1',
      name: 'Erster',
      notes: 'Zeile 1\nZeile 2',
      tags: ['blau', 'a'],
      state: 'finished',
      modelName: 'opt-125m',
      modelPath: '/models/opt-125m',
      modelId: 'm1',
      path: '/runs/r1',
      sweep: null,
      createdAt: '2026-11-23T09:14:03.120Z',
      finishedAt: '2026-11-23T09:15:01.482Z',
      method: 'sparsegpt',
      nm: null,
      scheduler: 'kmeans',
      device: 'cpu',
      targetSparsity: 0.7,
      sparsity: 0.70001,
      bits: null,
      measured: [
        {
          ...{ measure: 'perplexity', dataset: 'wiki', seqlen: 2048, windows: 166 },
          dense: { value: 27.66, standardError: null },
          compressed: { value: 36.85, standardError: null },
        },
      ],
      seconds: 58.5,
      bytes: 250540032,
      nonZeroBytes: 91234567,
      failure: null,
    });
    expect(third).toMatchObject({ name: 'third', state: 'queued', modelId: 'demo', sweep: 's1', measured: [] });
    expect(second).toMatchObject({ name: '第二', nm: { n: 2, m: 4 }, failure: { code: 'run.locked' }, modelId: null });
    expect(store.recipe('r2')).toMatchObject({ method: 'wanda', nm: { n: 2, m: 4 } });
    expect(store.models().map(({ id, runs }) => [id, runs])).toEqual([
      ['demo', 1],
      ['m1', 1],
    ]);
    store.close();
    const [migrated, fresh] = [new SQLite(path), openDatabase(join(folder, 'fresh.sqlite')).database];
    expect(migrated.pragma('user_version', { simple: true })).toBe(newestVersion);
    expect(schema(migrated)).toEqual(schema(fresh));
    expect(migrated.pragma('foreign_key_check')).toEqual([]);
    migrated.close();
    fresh.close();
  });

  test('the settings that keep a finished run', () => {
    const { database } = openDatabase(path);
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(database.pragma('synchronous', { simple: true })).toBe(2);
    expect(database.pragma('foreign_keys', { simple: true })).toBe(1);
    database.close();
  });
});

describe('a database that cannot be used', () => {
  /** One run in the database, and what the files look like then. */
  async function oneRun(): Promise<Buffer> {
    const { store } = openStore(path);
    await new History(store).queue({ name: 'kept', recipes: [recipe], runsFolder: join(folder, 'runs') });
    store.close();
    return readFileSync(path);
  }

  test('from a newer version: refused, untouched', async () => {
    await oneRun();
    const database = new SQLite(path);
    database.pragma(`user_version = ${newestVersion + 1}`);
    database.close();
    const bytes = readFileSync(path);
    expect(code(() => openStore(path))).toBe('history.newer');
    expect(readFileSync(path)).toEqual(bytes);
    expect(readdirSync(folder).sort()).toEqual(['history.sqlite', 'runs']);
  });

  /** Opens it as a user who owns nothing here. */
  function openAsAnother(): unknown {
    const script = [process.execPath, join(fixtures, 'open-history.ts'), path];
    const args = ['--reuid=65534', '--regid=65534', '--clear-groups', ...script];
    const [command = '', ...rest] = process.getuid?.() === 0 ? ['setpriv', ...args] : script;
    return JSON.parse(execFileSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  }

  test.runIf(process.platform === 'linux').each([
    { what: 'a file that is read-only', file: 0o444, of: 0o777, code: 'history.read-only' },
    { what: 'a folder that is read-only', file: 0o666, of: 0o555, code: 'history.read-only' },
    { what: 'a file that others may not read', file: 0o000, of: 0o777, code: 'history.no-access' },
  ])('$what', async ({ file, of, code }) => {
    const bytes = await oneRun();
    chmodSync(path, 0o666);
    chmodSync(folder, 0o777);
    expect(openAsAnother()).toEqual({ runs: 1 });
    chmodSync(path, file);
    chmodSync(folder, of);
    expect(openAsAnother()).toEqual({ code, params: { path } });
    chmodSync(folder, 0o755);
    chmodSync(path, 0o644);
    expect(readFileSync(path)).toEqual(bytes);
    expect(readdirSync(folder).filter((name) => name.includes('damaged'))).toEqual([]);
  });

  test.runIf(process.platform === 'linux')('a folder in which none can be made', () => {
    chmodSync(folder, 0o555);
    expect(openAsAnother()).toEqual({ code: 'history.no-access', params: { path } });
    expect(existsSync(path)).toBe(false);
  });

  test('another program writes: refused, and once it has ended all is well', async () => {
    await oneRun();
    const other = new SQLite(path);
    other.exec('BEGIN IMMEDIATE');
    expect(code(() => openStore(path))).toBe('history.locked');
    other.exec('ROLLBACK');
    other.close();
    const { store } = openStore(path);
    expect(store.folders()).toHaveLength(1);
    store.close();
  });

  test('full: what does not fit is refused, what was there stays, and a finished run is found again', async () => {
    await oneRun();
    const { database } = openDatabase(path);
    database.pragma(`max_page_count = ${String(database.pragma('page_count', { simple: true }))}`);
    const history = new History(new Store(database));
    const [row] = history.queued();
    if (!row) throw new Error('no run');
    history.start(row.id);
    const long = { name: 'n', notes: 'x'.repeat(20_000), tags: [] };
    await expect(history.update(row.id, long)).rejects.toMatchObject({ code: 'history.full', params: { path } });
    expect(history.get(row.id)).toMatchObject({ name: 'kept', notes: '', state: 'running' });
    await expect(
      history.queue({ name: 'x'.repeat(9000), recipes: [recipe], runsFolder: folder }),
    ).rejects.toMatchObject({
      code: 'history.full',
    });
    expect(history.list(all).total).toBe(1);
    const report = finishRun(row.path);
    finishRun(row.path, {
      ...report,
      measured: report.measured.map((one) => ({ ...one, dataset: 'd'.repeat(9000) })),
    });
    await expect(history.finish(row.id)).rejects.toMatchObject({ code: 'history.full' });
    database.close();

    const { store } = openStore(path);
    const again = new History(store);
    await again.recover();
    expect(again.get(row.id)).toMatchObject({ state: 'finished', name: 'kept', bytes: 17047312 });
    expect(again.interrupted()).toEqual([]);
    store.close();
  });

  test('damaged while it is open: the sentence says to start again, and that mends it', async () => {
    const bytes = await oneRun();
    // Not through openStore, whose check has read every page already.
    const store = new Store(new SQLite(path));
    const page = bytes.readUInt16BE(16);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, page), Buffer.alloc(bytes.length - page, 0xff)]));
    expect(code(() => store.page({ ...all, search: 'kept' }))).toBe('history.damaged');
    store.close();
    const mended = openStore(path);
    expect(mended.notices.map((notice) => notice.code)).toEqual(['history.rebuilt']);
    mended.store.close();
  });
});
