import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import SQLite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { newestRuns, type RunQuery, type RunRow } from '../../../src/contract/history.ts';
import { parseRecipe } from '../../../src/contract/recipe.ts';
import { History } from '../../../src/main/history/history.ts';
import { openStore } from '../../../src/main/history/open.ts';
import type { Store } from '../../../src/main/history/store.ts';
import { finishMove, moveRuns } from '../../../src/main/storage/move.ts';
import { finishRemovals, removeRun } from '../../../src/main/storage/removal.ts';
import { listStorage, sizeOf } from '../../../src/main/storage/sizes.ts';
import { finishRun } from '../../fixtures/run-folders.ts';

const all: RunQuery = { ...newestRuns, sort: { column: 'name', descending: false } };
const recipe = parseRecipe({ model: '/models/opt-125m', calibration: { corpus: { kind: 'tokens', path: '/c' } } });
const otherDrive = '/dev/shm';

let folder: string;
let store: Store;
let history: History;
/** What the settings say. */
let runsFolder: string;

function start(): void {
  store = openStore(join(folder, 'history.sqlite')).store;
  history = new History(store);
}

async function restart(): Promise<void> {
  store.close();
  start();
  await finishMove(store, moved);
  await finishRemovals(store, runsFolder);
  await history.recover();
  await history.scan({ runsFolder, others: [], changed: () => undefined, notify: () => undefined });
}

const moved = (target: string): Promise<void> => {
  runsFolder = target;
  return Promise.resolve();
};

async function finished(name: string): Promise<RunRow> {
  const [row] = await history.queue({ name, recipes: [recipe], runsFolder });
  if (!row) throw new Error('no run');
  finishRun(row.path);
  return (await history.finish(row.id)).row;
}

const rows = (): RunRow[] => history.list(all).rows;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-storage-'));
  runsFolder = join(folder, 'data', 'runs');
  mkdirSync(runsFolder, { recursive: true });
  start();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

describe('sizes', () => {
  test('each folder by its own, the database without what else lies beside it', async () => {
    const data = join(folder, 'data');
    const folders = {
      runs: runsFolder,
      models: join(folder, 'models'),
      database: data,
      cache: join(folder, 'cache'),
      logs: join(data, 'logs'),
    };
    mkdirSync(join(runsFolder, 'a', 'state'), { recursive: true });
    mkdirSync(folders.logs);
    writeFileSync(join(runsFolder, 'a', 'x'), Buffer.alloc(1000));
    writeFileSync(join(runsFolder, 'a', 'state', 'y'), Buffer.alloc(234));
    symlinkSync(join(runsFolder, 'a', 'x'), join(runsFolder, 'a', 'link'));
    writeFileSync(join(folders.logs, 'log'), Buffer.alloc(50));
    for (const [name, bytes] of [
      ['history.sqlite', 4096],
      ['history.sqlite-wal', 10],
      ['settings.json', 2],
      ['Cookies', 999],
    ] as const)
      writeFileSync(join(data, name), Buffer.alloc(bytes));
    const listed = await listStorage(folders);
    expect(listed.map(({ kind, path, bytes }) => [kind, path, bytes])).toEqual([
      ['runs', runsFolder, 1234],
      ['models', folders.models, 0],
      ['database', data, 4108],
      ['cache', folders.cache, 0],
      ['logs', folders.logs, 50],
    ]);
    const { bavail, bsize } = statfsSync(folder);
    for (const { freeBytes } of listed) expect(Math.abs(freeBytes - bavail * bsize)).toBeLessThan(2 ** 30);
    expect(await sizeOf([join(runsFolder, 'a'), join(runsFolder, 'gone')])).toBe(1234);
  });
});

describe('removing a run', () => {
  test('its folder goes, and its row; the others stay', async () => {
    const [one, other] = [await finished('one'), await finished('other')];
    await removeRun(store, one.id);
    expect(readdirSync(runsFolder)).toEqual([basename(other.path)]);
    expect(rows()).toEqual([other]);
    await expect(removeRun(store, one.id)).rejects.toMatchObject({ code: 'history.no-run' });
  });

  test('not while it is running', async () => {
    const [row] = await history.queue({ name: 'r', recipes: [recipe], runsFolder });
    history.start(row?.id ?? '');
    await expect(removeRun(store, row?.id ?? '')).rejects.toMatchObject({ code: 'run.busy', params: { name: 'r' } });
    expect(existsSync(row?.path ?? '')).toBe(true);
  });

  test('a folder that is gone, or that is no run any more, is left alone', async () => {
    const [gone, replaced, linked] = [await finished('gone'), await finished('replaced'), await finished('linked')];
    rmSync(gone.path, { recursive: true });
    for (const row of [replaced, linked]) renameSync(row.path, join(folder, basename(row.path)));
    mkdirSync(replaced.path);
    writeFileSync(join(replaced.path, 'thesis.tex'), 'mine');
    symlinkSync(join(folder, basename(linked.path)), linked.path);
    for (const { id } of [gone, replaced, linked]) await removeRun(store, id);
    expect(rows()).toEqual([]);
    expect(readdirSync(replaced.path)).toEqual(['thesis.tex']);
    expect(readdirSync(join(folder, basename(linked.path)))).toContain('report.json');
  });

  test('a folder that holds more than a run is refused', async () => {
    const row = await finished('one');
    mkdirSync(join(row.path, 'another run'));
    await expect(removeRun(store, row.id)).rejects.toMatchObject({
      code: 'run.foreign-folder',
      params: { path: row.path, name: 'another run' },
    });
    expect(existsSync(join(row.path, 'report.json'))).toBe(true);
    expect(rows()).toHaveLength(1);
  });

  test('its files are gone, its row could not go: the next start does it', async () => {
    const row = await finished('one');
    const other = new SQLite(join(folder, 'history.sqlite'));
    other.exec('BEGIN IMMEDIATE');
    await expect(removeRun(store, row.id)).rejects.toMatchObject({ code: 'history.locked' });
    other.exec('ROLLBACK');
    other.close();
    expect(rows()).toEqual([row]);
    await restart();
    expect(rows()).toEqual([]);
    expect(readdirSync(runsFolder)).toEqual([]);
  });

  test('interrupted in the middle, it is gone on with at the next start', async () => {
    const elsewhere = join(folder, 'out');
    finishRun(elsewhere);
    const doomed = [await finished('inside'), await history.import(elsewhere)];
    const kept = await finished('kept');
    // As a kill leaves it: renamed, half of it removed, the row still there.
    for (const { id, path } of doomed) {
      renameSync(path, join(path, '..', `.tamis-removed-${id}`));
      rmSync(join(path, '..', `.tamis-removed-${id}`, 'report.json'));
    }
    const strange = join(folder, '.tamis-removed-of-somebody-else');
    mkdirSync(strange);
    await restart();
    expect(rows()).toEqual([kept]);
    expect(readdirSync(runsFolder)).toEqual([basename(kept.path)]);
    expect(readdirSync(folder).sort()).toEqual([
      '.tamis-removed-of-somebody-else',
      'data',
      'history.sqlite',
      'history.sqlite-shm',
      'history.sqlite-wal',
    ]);
  });

  test('works when the database takes no more: freeing space is what helps', async () => {
    const row = await finished('one');
    store.close();
    const { openDatabase } = await import('../../../src/main/history/database.ts');
    const { Store: Opened } = await import('../../../src/main/history/store.ts');
    const { database } = openDatabase(join(folder, 'history.sqlite'));
    database.pragma(`max_page_count = ${String(database.pragma('page_count', { simple: true }))}`);
    store = new Opened(database);
    await removeRun(store, row.id);
    expect(store.folders()).toEqual([]);
  });
});

/** Everything in a folder, with its bytes. */
function contents(path: string): Record<string, string> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    entries.map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [file.slice(path.length), readFileSync(file, 'latin1')];
    }),
  );
}

describe.each([
  { drive: 'on one drive', far: () => mkdtempSync(join(folder, 'far-')), isThere: true },
  {
    drive: 'to another drive',
    far: () => mkdtempSync(join(otherDrive, 'tamis-far-')),
    isThere: existsSync(otherDrive),
  },
])('moving all runs $drive', ({ far, isThere }) => {
  let into: string;
  let target: string;
  let source: string;
  let before: RunRow[];
  let files: Record<string, string>;

  beforeEach(async () => {
    into = isThere ? far() : folder;
    target = join(into, 'tamis-runs');
    source = runsFolder;
    const elsewhere = join(folder, 'out');
    finishRun(elsewhere);
    await finished('a');
    await history.import(elsewhere);
    writeFileSync(join(source, 'notes of mine.txt'), 'keep me');
    store.insertModel({
      id: 'm',
      path: rows()[0]?.path ?? '',
      added_at: '',
      fingerprint: null,
      head: null,
      failure: null,
    });
    before = rows();
    files = contents(source);
  });
  afterEach(() => {
    for (const path of [into, `${into}-copy`, `${folder}-copy`]) rmSync(path, { recursive: true, force: true });
  });

  /** Everything is in one place, the history and the settings say which, and nothing is left over anywhere. */
  function expectAll(place: string): void {
    expect(runsFolder).toBe(place);
    expect(contents(place)).toEqual(files);
    const follow = (path: string): string => (path.startsWith(source + '/') ? place + path.slice(source.length) : path);
    expect(rows()).toEqual(before.map((row) => ({ ...row, path: follow(row.path) })));
    expect(store.models().map(({ path }) => path)).toEqual([follow(before[0]?.path ?? '')]);
    expect(store.moves()).toEqual([]);
    expect(readdirSync(into).filter((name) => name.startsWith('.'))).toEqual([]);
    const other = place === source ? target : source;
    expect(existsSync(other)).toBe(false);
  }

  test.runIf(isThere)('moves them, and the history follows', async () => {
    const told: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }): number => told.push(done / total);
    expect(await moveRuns(store, source, into, { moved, onProgress })).toBe(target);
    expectAll(target);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    if (into.startsWith(otherDrive)) expect(told.at(-1)).toBe(1);
    await restart();
    expectAll(target);
    await moveRuns(store, target, folder, { moved, onProgress });
    expect(runsFolder).toBe(join(folder, 'tamis-runs'));
    expect(contents(runsFolder)).toEqual(files);
  });

  test.runIf(isThere)('a setting that cannot be written is written at the next start', async () => {
    const refuse = (): Promise<void> => Promise.reject(new Error('no space'));
    await expect(moveRuns(store, source, into, { moved: refuse, onProgress: () => undefined })).rejects.toThrow(
      'no space',
    );
    await restart();
    expectAll(target);
  });

  test.runIf(isThere)('killed at any moment, the runs are whole in one place at the next start', async () => {
    const script = join(import.meta.dirname, '../../fixtures/move-runs.ts');
    const changing = into.startsWith(folder) ? [folder] : [folder, into];
    store.close();
    for (const place of changing) cpSync(place, `${place}-copy`, { recursive: true });
    const outcomes = new Set<string>();
    for (let steps = 0; ; steps += 1) {
      for (const place of changing) {
        rmSync(place, { recursive: true, force: true });
        cpSync(`${place}-copy`, place, { recursive: true });
      }
      runsFolder = source;
      const args = [script, join(folder, 'history.sqlite'), source, into, String(steps)];
      const told = execFileSync(process.execPath, args, { encoding: 'utf8' }).trim().split('\n');
      if (told.includes('moved')) runsFolder = target;
      start();
      await restart();
      expectAll(runsFolder);
      outcomes.add(runsFolder);
      store.close();
      if (told.includes('finished')) break;
    }
    start();
    expect([...outcomes].sort()).toEqual([source, target].sort());
  });
});

describe('moving is refused', () => {
  const onProgress = (): void => undefined;

  test('into itself, onto something, and while a run waits', async () => {
    await finished('a');
    mkdirSync(join(runsFolder, 'inside'));
    await expect(moveRuns(store, runsFolder, join(runsFolder, 'inside'), { moved, onProgress })).rejects.toMatchObject({
      code: 'storage.inside',
    });
    mkdirSync(join(folder, 'tamis-runs'));
    await expect(moveRuns(store, runsFolder, folder, { moved, onProgress })).rejects.toMatchObject({
      code: 'storage.exists',
      params: { path: join(folder, 'tamis-runs') },
    });
    rmSync(join(folder, 'tamis-runs'), { recursive: true });
    await history.queue({ name: 'waiting', recipes: [recipe], runsFolder });
    await expect(moveRuns(store, runsFolder, folder, { moved, onProgress })).rejects.toMatchObject({
      code: 'run.busy',
    });
    expect(store.moves()).toEqual([]);
    expect(rows()).toHaveLength(2);
  });

  test.runIf(process.platform === 'linux' && existsSync('/proc'))('where nothing can be written', async () => {
    const row = await finished('a');
    await expect(moveRuns(store, runsFolder, '/proc', { moved, onProgress })).rejects.toMatchObject({
      name: 'TamisError',
    });
    expect(store.moves()).toEqual([]);
    expect(rows()).toEqual([row]);
    expect(existsSync(join(row.path, 'report.json'))).toBe(true);
  });
});
