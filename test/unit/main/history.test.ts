import { mkdtempSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Notice } from '../../../src/contract/bridge.ts';
import { newestRuns, type RunRow } from '../../../src/contract/history.ts';
import { parseRecipe } from '../../../src/contract/recipe.ts';
import { reportSchema } from '../../../src/contract/report.ts';
import { readEvents } from '../../../src/main/history/folder.ts';
import { History, type Finished } from '../../../src/main/history/history.ts';
import { openStore, type OpenedStore } from '../../../src/main/history/open.ts';
import { isFree } from '../../../src/worker/run/directory.ts';
import { sampleReport } from '../../fixtures/report.ts';
import { beginRun, finishRun } from '../../fixtures/run-folders.ts';

const recipe = parseRecipe({
  model: '/models/opt-125m',
  sparsity: 0.7,
  scheduler: { kind: 'kmeans' },
  calibration: { corpus: { kind: 'tokens', path: '/c' } },
});

let folder: string;
let opened: OpenedStore;
let history: History;
let notices: Omit<Notice, 'id'>[];
const database = (): string => join(folder, 'history.sqlite');
const runsFolder = (): string => join(folder, 'runs');

/** As the application does at its start. */
async function start(): Promise<void> {
  opened = openStore(database());
  history = new History(opened.store);
  notices = [...opened.notices];
  await history.recover();
  await history.scan({
    runsFolder: runsFolder(),
    others: opened.others,
    changed: () => undefined,
    notify: (notice) => notices.push(notice),
  });
}

async function restart(): Promise<void> {
  opened.store.close();
  await start();
}

const queue = async (name = 'first', recipes = [recipe]): Promise<RunRow[]> =>
  await history.queue({ name, recipes, runsFolder: runsFolder() });
const one = async (name?: string): Promise<RunRow> => (await queue(name))[0] ?? expect.fail('no run');
const rows = (): RunRow[] => history.list(newestRuns).rows;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-history-'));
  mkdirSync(runsFolder());
  await start();
});
afterEach(() => {
  opened.store.close();
  rmSync(folder, { recursive: true });
});

describe('a run from queue to end', () => {
  test('is listed and has its folder from when it is queued, free for the engine', async () => {
    const row = await one('A name / with: signs');
    expect(row).toMatchObject({
      name: 'A name / with: signs',
      state: 'queued',
      modelName: 'opt-125m',
      method: 'sparsegpt',
    });
    expect(row).toMatchObject({
      scheduler: 'kmeans',
      targetSparsity: 0.7,
      sweep: null,
      measured: [],
      modelId: null,
    });
    expect(row.path.startsWith(join(runsFolder(), 'A-name-with-signs-'))).toBe(true);
    expect(readdirSync(row.path)).toEqual(['run.json']);
    expect(isFree(row.path)).toBe(true);
    expect(history.recipe(row.id)).toEqual(recipe);
  });

  test('a sweep keeps its order and is named by what differs', async () => {
    const sweep = await queue(
      'sweep',
      [0.7, 0.75, 0.8].map((sparsity) => ({ ...recipe, sparsity })),
    );
    expect(history.queued().map(({ id }) => id)).toEqual(sweep.map(({ id }) => id));
    expect(sweep.map(({ name }) => name)).toEqual([
      'sweep · kmeans · 70 %',
      'sweep · kmeans · 75 %',
      'sweep · kmeans · 80 %',
    ]);
    expect(new Set(sweep.map((row) => row.sweep)).size).toBe(1);
    expect(sweep[0]?.sweep).not.toBeNull();
    const [first] = sweep;
    history.start(first?.id ?? '');
    await history.end(first?.id ?? '', 'paused', null);
    await history.requeue(first?.id ?? '');
    expect(history.queued().map(({ targetSparsity }) => targetSparsity)).toEqual([0.75, 0.8, 0.7]);
  });

  test('where no folder can be made, nothing is listed', async () => {
    const file = join(folder, 'a file');
    writeFileSync(file, '');
    const queued = history.queue({ name: 'x', recipes: [recipe], runsFolder: join(file, 'runs') });
    await expect(queued).rejects.toMatchObject({ code: 'file.not-writable' });
    expect(rows()).toEqual([]);
  });

  test('without a name it is called after its model, method and target', async () => {
    expect((await one('  ')).name).toBe('opt-125m · sparsegpt · kmeans · 70 %');
  });

  test('finished: the row has the numbers of the report', async () => {
    const { id, path } = await one();
    history.start(id);
    await expect(history.finish(id)).rejects.toMatchObject({ code: 'run.not-finished' });
    expect(history.get(id).state).toBe('running');
    const report = finishRun(path);
    const { row } = await history.finish(id);
    expect(row).toMatchObject({ state: 'finished', finishedAt: report.finishedAt, failure: null, name: 'first' });
    expect(row.sparsity).toBe(report.sparsity.actual);
    expect(row.measured).toEqual(report.measured.map(({ tokens: _, ...entry }) => entry));
    expect(row.measured[0]).toEqual({
      ...{ measure: 'perplexity', dataset: 'held-out', seqlen: 256, windows: 256 },
      dense: { value: 77.6398879881635, standardError: 1.204 },
      compressed: { value: 91.0335310148583, standardError: 1.417 },
    });
    expect(row.bytes).toBe(17047312);
    expect(row.seconds).toBeCloseTo(
      Object.values(report.seconds).reduce((a, b) => a + b),
      9,
    );
    // 8 blocks x (4 x 256² + 2 x 256·1024) float16 weights: a bit each, and two bytes for each that is not zero.
    const weights = 8 * (4 * 256 * 256 + 2 * 256 * 1024);
    const kept = report.layers.map(({ rows, cols, sparsity }) => rows * cols * (1 - sparsity));
    const packed = weights / 8 + 2 * kept.reduce((a, b) => a + b);
    expect(row.nonZeroBytes).toBe(Math.ceil(17047312 - 2 * weights + packed));
    expect(row.bits).toBeNull();
    expect(history.recipe(id)).toEqual(report.recipe);
  });

  test.each(['paused', 'cancelled', 'killed', 'out-of-memory', 'lost'] as const)('%s, then resumed', async (state) => {
    const { id } = await one();
    history.start(id);
    expect(await history.end(id, state, null)).toMatchObject({ state, failure: null });
    expect(history.get(id).finishedAt).not.toBeNull();
    expect(await history.requeue(id)).toMatchObject({ state: 'queued', finishedAt: null });
    expect(history.queued()).toHaveLength(1);
  });

  test('failed, with its reason', async () => {
    const { id } = await one();
    const failure = { code: 'plan.disk', params: { needed: 3, free: 2, path: '/x' } } as const;
    expect(await history.end(id, 'failed', failure)).toMatchObject({ state: 'failed', failure });
  });

  test('name, notes and tags can be changed; an unknown run is refused', async () => {
    const { id, path } = await one();
    const texts = { name: '改名', notes: 'line\nline', tags: ['b', 'a'] };
    expect(await history.update(id, texts)).toMatchObject(texts);
    expect(JSON.parse(readFileSync(join(path, 'run.json'), 'utf8'))).toMatchObject(texts);
    await expect(history.update('nobody', texts)).rejects.toMatchObject({ code: 'history.no-run' });
    expect(() => history.get('nobody')).toThrow(expect.objectContaining({ code: 'history.no-run' }) as Error);
  });
});

describe('after the application ended', () => {
  test('what ran is lost and what was queued is paused; both are offered until they are resumed', async () => {
    const [running, queued, paused] = [await one('running'), await one('queued'), await one('paused')];
    history.start(running.id);
    beginRun(running.path, recipe);
    await history.end(paused.id, 'paused', null);
    await restart();
    expect(history.get(running.id)).toMatchObject({ state: 'lost', failure: { code: 'engine.lost-run' } });
    expect(history.get(queued.id).state).toBe('paused');
    expect(history.interrupted().map(({ name }) => name)).toEqual(['running', 'queued']);
    await history.requeue(running.id);
    expect(history.interrupted().map(({ name }) => name)).toEqual(['queued']);
    await restart();
    expect(history.interrupted().map(({ name }) => name)).toEqual(['running']);
    await restart();
    expect(history.interrupted()).toEqual([]);
  });

  test('a run whose report was written is finished, whatever the database heard', async () => {
    const [running, killed] = [await one('running'), await one('killed')];
    history.start(running.id);
    await history.end(killed.id, 'killed', null);
    finishRun(running.path);
    finishRun(killed.path);
    await restart();
    expect(rows().map(({ state }) => state)).toEqual(['finished', 'finished']);
    expect(history.get(running.id)).toMatchObject({ name: 'running', bytes: 17047312 });
    expect(history.interrupted()).toEqual([]);
  });

  test('a run whose end the database could not take has ended so', async () => {
    const row = await one();
    history.start(row.id);
    beginRun(row.path, recipe);
    const failure = { code: 'run.locked', params: { path: '/x' } } as const;
    await history.end(row.id, 'failed', failure);
    // As if the database had been full: the folder has it, the database has not.
    opened.store.change(row.id, { state: 'running', failure: null, finishedAt: null });
    await restart();
    expect(history.get(row.id)).toMatchObject({ state: 'failed', failure });
    expect(history.get(row.id).finishedAt).not.toBeNull();
  });

  test('a run that was resumed and then lost is not what it was before', async () => {
    const row = await one();
    history.start(row.id);
    beginRun(row.path, recipe, [{ at: new Date().toISOString(), type: 'failed', code: 'cancelled', params: {} }]);
    await history.end(row.id, 'cancelled', null);
    await history.requeue(row.id);
    history.start(row.id);
    await restart();
    expect(history.interrupted()).toMatchObject([{ id: row.id, state: 'lost' }]);
  });
});

/** One run of every kind that there can be between two starts. */
async function everyKind(): Promise<RunRow[]> {
  const finished = await one('finished');
  finishRun(finished.path);
  await history.finish(finished.id);
  await history.update(finished.id, { name: 'finished and named', notes: 'notes', tags: ['tag', '標籤'] });
  for (const state of ['paused', 'cancelled', 'killed', 'out-of-memory'] as const) {
    const row = await one(state);
    history.start(row.id);
    beginRun(row.path, recipe, [{ at: new Date().toISOString(), type: 'failed', code: 'cancelled', params: {} }]);
    await history.end(row.id, state, null);
  }
  const failed = await one('failed');
  await history.end(failed.id, 'failed', { code: 'run.locked', params: { path: '/x' } });
  await queue('sweep', [recipe, { ...recipe, sparsity: 0.8 }]);
  const running = await one('running');
  history.start(running.id);
  beginRun(running.path, recipe);
  await restart();
  return rows();
}

describe('rebuilding', () => {
  const files = (): string[] => readdirSync(folder).filter((name) => name.includes('damaged'));
  const byId = (list: RunRow[]): RunRow[] => list.sort((a, b) => a.id.localeCompare(b.id));

  test('a lost database comes back from the folders as it was', async () => {
    const before = await everyKind();
    expect(before.map(({ state }) => state).sort()).toEqual([
      'cancelled',
      'failed',
      'finished',
      'killed',
      'lost',
      'out-of-memory',
      'paused',
      'paused',
      'paused',
    ]);
    opened.store.close();
    for (const end of ['', '-wal', '-shm']) rmSync(database() + end, { force: true });
    await start();
    expect(byId(rows())).toEqual(byId(before));
    expect(notices).toEqual([]);
  });

  test.each([
    ['in the middle', (bytes: Buffer) => bytes.fill(0xa5, bytes.length / 2, bytes.length / 2 + 4096)],
    ['at its beginning', (bytes: Buffer) => bytes.fill(0xa5, 0, 4096)],
    ['to text', () => Buffer.from('no database at all, but long enough to be looked at. '.repeat(99))],
    ['by being cut short', (bytes: Buffer) => bytes.subarray(0, 5000)],
  ])('a database damaged %s is kept aside and rebuilt, and it is said', async (_, damage) => {
    const elsewhere = join(folder, 'elsewhere');
    finishRun(elsewhere);
    const imported = await history.import(elsewhere);
    const before = await everyKind();
    opened.store.close();
    const damaged = damage(readFileSync(database()));
    writeFileSync(database(), damaged);
    await start();
    const without = (list: RunRow[]): RunRow[] => byId(list.filter(({ id }) => id !== imported.id));
    expect(without(rows())).toEqual(without(before));
    const kept = files().filter((name) => name.endsWith('.sqlite'));
    expect(kept).toHaveLength(1);
    expect(readFileSync(join(folder, kept[0] ?? ''))).toEqual(damaged);
    expect(notices).toEqual([
      { kind: 'warning', code: 'history.rebuilt', params: { path: database(), aside: join(folder, kept[0] ?? '') } },
    ]);
    // The folder elsewhere may be salvaged; imported again it is the same run.
    expect(await history.import(elsewhere)).toEqual(imported);
    await restart();
    expect(notices).toEqual([]);
  });

  test('folders that are no runs are left alone, damaged ones skipped and told', async () => {
    mkdirSync(join(runsFolder(), 'holiday photos'));
    mkdirSync(join(runsFolder(), '.hidden'));
    finishRun(join(runsFolder(), 'from the command line'));
    finishRun(join(runsFolder(), 'broken'));
    writeFileSync(join(runsFolder(), 'broken', 'report.json'), '{"version": 1}');
    await restart();
    expect(rows().map(({ name }) => name)).toEqual(['from the command line']);
    expect(notices).toEqual([
      { kind: 'warning', code: 'history.folders-skipped', params: { count: 1, path: join(runsFolder(), 'broken') } },
    ]);
  });

  test('the folder of a run that an earlier version finished is listed with what it measured', async () => {
    const written = join(import.meta.dirname, '../../fixtures/runs/interrupted-report.json');
    const old = JSON.parse(readFileSync(written, 'utf8')) as { version: number };
    expect(old.version).toBe(1);
    const report = reportSchema.parse(old);
    const path = join(runsFolder(), 'of an earlier version');
    finishRun(path, report);
    cpSync(written, join(path, 'report.json'));
    await restart();
    const [row] = rows();
    const sample = { dataset: 'evaluation', seqlen: 128, windows: 4 };
    const [dense, compressed] = [68.98690061535478, 75.84977471633876].map((value) => ({ value, standardError: null }));
    expect(row).toMatchObject({ name: 'of an earlier version', state: 'finished' });
    expect(row?.measured[0]).toEqual({ measure: 'perplexity', ...sample, dense, compressed });
    expect(row?.measured).toEqual(report.measured.map(({ tokens: _, ...entry }) => entry));
    expect(history.points({ ...newestRuns, measure: 'perplexity' })).toEqual([
      expect.objectContaining({ id: row?.id, ...sample, value: compressed?.value }),
    ]);
  });

  test('a run of the command line keeps its id once it was listed', async () => {
    finishRun(join(runsFolder(), 'cli'));
    await restart();
    const [row] = rows();
    opened.store.close();
    rmSync(database());
    await start();
    expect(rows()).toEqual([row]);
  });
});

describe('import', () => {
  test('lists a folder once, with what the command line left', async () => {
    const path = join(folder, 'out');
    beginRun(path, recipe, [
      { at: '2026-11-23T10:00:00.000Z', type: 'stage', stage: 'calibration', state: 'started', seconds: 0 },
      { at: '2026-11-23T10:00:09.000Z', type: 'failed', code: 'cancelled', params: { path } },
    ]);
    const row = await history.import(path);
    expect(row).toMatchObject({ name: 'out', path, state: 'cancelled', createdAt: '2026-11-23T10:00:00.000Z' });
    expect(row.finishedAt).toBe('2026-11-23T10:00:09.000Z');
    finishRun(path);
    expect(await history.import(path)).toMatchObject({ id: row.id, state: 'finished' });
    expect(rows()).toHaveLength(1);
  });

  test('refuses what is no run, and names what is damaged', async () => {
    mkdirSync(join(folder, 'empty'));
    await expect(history.import(join(folder, 'empty'))).rejects.toMatchObject({ code: 'run.not-a-run' });
    finishRun(join(folder, 'bad'));
    writeFileSync(join(folder, 'bad', 'report.json'), 'null');
    await expect(history.import(join(folder, 'bad'))).rejects.toMatchObject({
      code: 'file.wrong-shape',
      params: { path: join(folder, 'bad', 'report.json') },
    });
    expect(rows()).toEqual([]);
  });

  test('a copy is a run of its own, a moved folder the same run', async () => {
    const path = join(folder, 'out');
    finishRun(path);
    const row = await history.import(path);
    cpSync(path, join(folder, 'copy'), { recursive: true });
    const copy = await history.import(join(folder, 'copy'));
    expect(copy.id).not.toBe(row.id);
    expect(JSON.parse(readFileSync(join(folder, 'copy', 'run.json'), 'utf8'))).toMatchObject({ id: copy.id });
    renameSync(path, join(folder, 'moved'));
    expect(await history.import(join(folder, 'moved'))).toEqual({ ...row, path: join(folder, 'moved') });
    expect(rows()).toHaveLength(2);
  });

  test('events of another version, and one that a kill cut short, do not hide the run', async () => {
    const path = join(folder, 'out');
    beginRun(path, recipe);
    const at = (second: number): string => `"at":"2026-11-23T10:00:0${second}.000Z"`;
    const events = `{${at(1)},"type":"new here","x":[1]}\n{${at(2)},"type":"failed","code":"run.locked","params":{"path":"/x"}}\n`;
    writeFileSync(join(path, 'events.jsonl'), `${events}{${at(3)},"type":"fai`);
    expect(await history.import(path)).toMatchObject({
      state: 'failed',
      failure: { code: 'run.locked', params: { path: '/x' } },
      createdAt: '2026-11-23T10:00:01.000Z',
      finishedAt: '2026-11-23T10:00:02.000Z',
    });
    await expect(readEvents(path)).rejects.toMatchObject({ code: 'file.wrong-shape' });
  });

  test('what another version of Tamis failed with is still a failure', async () => {
    const path = join(folder, 'out');
    beginRun(path, recipe, [{ at: '2026-11-23T10:00:00.000Z', type: 'failed', code: 'future.code', params: {} }]);
    expect((await history.import(path)).failure).toEqual({ code: 'internal', params: { detail: 'future.code' } });
  });
});

describe('attempts at a goal', () => {
  const goal = { kind: 'perplexity', perplexity: 90 } as const;
  const aimed = parseRecipe({
    ...recipe,
    sparsity: null,
    fit: goal,
    evaluation: { datasets: [{ name: 'held-out', corpus: { kind: 'texts', paths: ['/e'] } }] },
  });

  /** The engine's work: the target it decided, if it was left to it, and the perplexity that came of it. */
  function report({ id, path }: RunRow, compressed: number, sparsity?: number): void {
    const written = sampleReport();
    const asked = history.recipe(id);
    const [first] = written.measured;
    if (!first) throw new Error('nothing measured');
    history.start(id);
    finishRun(path, {
      ...written,
      recipe: { ...asked, sparsity: asked.sparsity ?? sparsity ?? null },
      measured: [
        {
          ...first,
          dense: { value: 77.64, standardError: null },
          compressed: { value: compressed, standardError: null },
        },
      ],
    });
  }

  async function finish(row: RunRow, compressed: number, sparsity?: number): Promise<Finished> {
    report(row, compressed, sparsity);
    return await history.finish(row.id);
  }

  /** The attempt that follows one that does not fit. */
  async function missed(row: RunRow, compressed: number, sparsity?: number): Promise<RunRow> {
    const { next } = await finish(row, compressed, sparsity);
    return next ?? expect.fail('nothing follows');
  }

  const nothing = { next: null, unreached: null };

  test('follow one another in a sweep, with targets that close in, until one fits', async () => {
    const [first = expect.fail('no run')] = await queue('goal', [aimed]);
    expect(first).toMatchObject({ targetSparsity: null, sweep: expect.any(String) as string });
    const second = await missed(first, 120, 0.76);
    expect(second).toMatchObject({ name: 'goal · 2', sweep: first.sweep, state: 'queued' });
    expect(second.targetSparsity).toBeLessThan(0.76);
    expect(history.recipe(second.id)).toEqual({ ...aimed, sparsity: second.targetSparsity });
    expect(await history.finish(first.id)).toMatchObject(nothing);
    const third = await missed(second, 86);
    expect(third).toMatchObject({ name: 'goal · 3', sweep: first.sweep });
    expect(third.targetSparsity).toBeGreaterThan(second.targetSparsity ?? 1);
    expect(third.targetSparsity).toBeLessThan(0.76);
    const attempts = await history.attempts(first.id);
    expect(attempts.map(({ name, state, value, fits }) => [name, state, value, fits])).toEqual([
      ['goal', 'finished', 120, false],
      ['goal · 2', 'finished', 86, false],
      ['goal · 3', 'queued', null, false],
    ]);
    expect(attempts.map(({ sparsity }) => sparsity)).toEqual([0.76, second.targetSparsity, third.targetSparsity]);
    expect(await finish(third, 90.5)).toMatchObject(nothing);
    expect((await history.attempts(second.id)).map(({ fits }) => fits)).toEqual([false, false, true]);
  });

  test('of another scheduler in the same sweep are apart; four are the most', async () => {
    const uniform = { ...aimed, scheduler: { kind: 'uniform' as const } };
    const [one = expect.fail('no run'), other = expect.fail('no run')] = await queue('goal', [aimed, uniform]);
    const second = await missed(one, 120, 0.76);
    expect(await finish(other, 90, 0.6)).toMatchObject(nothing);
    const third = await missed(second, 86);
    const fourth = await missed(third, 86.1);
    expect(await finish(fourth, 88)).toMatchObject({
      next: null,
      unreached: { code: 'fit.attempts', params: { attempts: 4, value: '88.00' } },
    });
    const named = async (id: string): Promise<string[]> => (await history.attempts(id)).map(({ name }) => name);
    expect(await named(fourth.id)).toEqual([one, second, third, fourth].map(({ name }) => name));
    expect(await named(other.id)).toEqual([other.name]);
  });

  test('one that finished as the application ended is followed by the next, which waits for the person', async () => {
    const [first = expect.fail('no run')] = await queue('goal', [aimed]);
    report(first, 120, 0.76);
    await restart();
    const [next, ...others] = rows().filter(({ id }) => id !== first.id);
    expect(others).toEqual([]);
    expect(history.get(first.id).state).toBe('finished');
    expect(next).toMatchObject({ name: 'goal · 2', state: 'paused', sweep: first.sweep });
    expect(history.interrupted().map(({ id }) => id)).toEqual([next?.id]);
  });

  test('the application ends at any write between two: the next is there once, and waits', async () => {
    for (const method of ['insert', 'enqueue', 'dequeue', 'putRecipe'] as const) {
      const [first = expect.fail('no run')] = await queue(method, [aimed]);
      report(first, 120, 0.76);
      const write = vi.spyOn(opened.store, method).mockImplementation(() => {
        throw new Error('the end');
      });
      await expect(history.finish(first.id)).rejects.toThrow('the end');
      write.mockRestore();
      await restart();
      expect(history.get(first.id).state).toBe('finished');
      const attempts = await history.attempts(first.id);
      expect(attempts.map(({ name, state }) => [name, state])).toEqual([
        [method, 'finished'],
        [`${method} · 2`, 'paused'],
      ]);
      expect(history.interrupted().map(({ name }) => name)).toContain(`${method} · 2`);
    }
  });

  test('a run without a goal is followed by nothing', async () => {
    const run = await one();
    finishRun(run.path);
    expect(await history.finish(run.id)).toMatchObject(nothing);
    expect(await history.attempts(run.id)).toEqual([]);
  });
});
