import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { TamisError } from '../../../src/contract/errors.ts';
import type { Model, ModelHead } from '../../../src/contract/library.ts';
import { parseRecipe } from '../../../src/contract/recipe.ts';
import { History } from '../../../src/main/history/history.ts';
import { openStore } from '../../../src/main/history/open.ts';
import type { Store } from '../../../src/main/history/store.ts';
import { Library } from '../../../src/main/library/library.ts';
import { readHead } from '../../../src/worker/model/head.ts';
import { patience } from '../../limits.ts';
import { demoModel } from '../../fixtures/demo-model.ts';

let folder: string;
let store: Store;
let library: Library;
/** Folders that were read. */
let inspected: string[];
let changes: number;
let demo: string;

function open(): void {
  store = openStore(join(folder, 'history.sqlite')).store;
  library = new Library({ store, demo, inspect, changed: () => (changes += 1) });
  library.open();
}

async function inspect(path: string): Promise<ModelHead> {
  inspected.push(path);
  return await readHead(path);
}

async function restart(): Promise<void> {
  library.close();
  store.close();
  inspected = [];
  open();
  await library.settled();
}

function model(name: string): string {
  const path = join(folder, name);
  cpSync(demoModel, path, { recursive: true });
  return path;
}

const kinds = (models = library.list()): string[] => models.map(({ name, state }) => `${name} ${state.kind}`);
const headOf = ({ state }: Model): ModelHead => (state.kind === 'ready' ? state.head : expect.fail(state.kind));
/** Longer than a folder has to be quiet to be read again. */

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tamis-library-')));
  demo = model('demo-model');
  [inspected, changes] = [[], 0];
  open();
  await library.settled();
});
afterEach(async () => {
  await library.settled();
  library.close();
  store.close();
  rmSync(folder, { recursive: true });
});

describe('the list', () => {
  test('the demo model is in it from the first start, first, and stays', async () => {
    const [first] = library.list();
    expect(first).toMatchObject({ id: 'demo', demo: true, path: demo, name: 'demo-model', runs: 0 });
    expect(headOf(first ?? expect.fail())).toMatchObject({ family: 'opt', dtype: 'F16', blocks: 8, layers: 48 });
    await library.add([model('a')]);
    expect(library.list().map(({ name }) => name)).toEqual(['demo-model', 'a']);
    expect(() => library.remove('demo')).toThrow(expect.objectContaining({ code: 'model.demo-stays' }) as Error);
    await expect(library.relocate('demo', folder)).rejects.toMatchObject({ code: 'model.demo-stays' });
  });

  test('a model is read once and shown at once at the next start', async () => {
    const [added] = await library.add([model('a')]);
    expect(added?.state.kind).toBe('reading');
    await library.settled();
    expect(inspected).toEqual([demo, join(folder, 'a')]);
    const before = library.list();
    library.close();
    store.close();
    inspected = [];
    open();
    expect(library.list()).toEqual(before);
    await library.settled();
    expect(inspected).toEqual([]);
  });

  test('one folder under two names is one model', async () => {
    const path = model('a');
    symlinkSync(path, join(folder, 'link'));
    const [first] = await library.add([path]);
    const again = await library.add([join(folder, 'link'), join(path, '..', 'a'), demo]);
    expect(again.map(({ id }) => id)).toEqual([first?.id, 'demo']);
    expect(library.list()).toHaveLength(2);
  });

  test('of a folder of models each is added', async () => {
    for (const name of ['zoo/a', 'zoo/b', 'zoo/deep/c']) model(name);
    writeFileSync(join(folder, 'zoo', 'README.md'), 'mine');
    await library.add([join(folder, 'zoo')]);
    await library.settled();
    expect(kinds()).toEqual(['demo-model ready', 'a ready', 'b ready']);
  });

  test('a folder of PyTorch weights is a model', async () => {
    cpSync(join(import.meta.dirname, '../../fixtures/bin/opt-sharded'), join(folder, 'zoo/torch'), { recursive: true });
    mkdirSync(join(folder, 'zoo/weights'));
    cpSync(
      join(folder, 'zoo/torch/pytorch_model.bin.index.json'),
      join(folder, 'zoo/weights/pytorch_model.bin.index.json'),
    );
    await library.add([join(folder, 'zoo')]);
    await library.settled();
    expect(kinds()).toEqual(['demo-model ready', 'torch ready', 'weights refused']);
  });

  test('what is no model is listed as refused, with the reason, and not read again', async () => {
    mkdirSync(join(folder, 'empty'));
    const broken = model('broken');
    writeFileSync(join(broken, 'config.json'), '{');
    await library.add([join(folder, 'empty'), broken]);
    await library.settled();
    const failures = library.list().map(({ state }) => (state.kind === 'refused' ? state.failure : null));
    expect(failures).toEqual([
      null,
      { code: 'checkpoint.no-config', params: { path: join(folder, 'empty') } },
      { code: 'config.not-json', params: { path: join(broken, 'config.json') } },
    ]);
    await restart();
    expect(inspected).toEqual([]);
    expect(library.list().map(({ state }) => (state.kind === 'refused' ? state.failure : null))).toEqual(failures);
  });

  test('a reading that failed for no fault of the model is tried again', async () => {
    library.close();
    let isDown = true;
    const flaky = async (path: string): Promise<ModelHead> => {
      if (isDown) throw new TamisError('engine.lost');
      return await readHead(path);
    };
    const options = { store, demo, inspect: flaky, changed: () => undefined };
    library = new Library(options);
    library.open();
    const [added] = await library.add([model('a')]);
    await library.settled();
    expect(library.get(added?.id ?? '').state).toMatchObject({ kind: 'refused', failure: { code: 'engine.lost' } });
    library.close();
    isDown = false;
    library = new Library(options);
    library.open();
    await library.settled();
    expect(library.get(added?.id ?? '').state.kind).toBe('ready');
  });

  test('removing one removes no file', async () => {
    const path = model('a');
    const [added] = await library.add([path]);
    await library.settled();
    library.remove(added?.id ?? '');
    expect(library.list()).toHaveLength(1);
    expect(() => library.get(added?.id ?? '')).toThrow(expect.objectContaining({ code: 'model.unknown' }) as Error);
    expect(await readHead(path)).toMatchObject({ family: 'opt' });
  });

  test('where the demo model lies is the installation’s business', async () => {
    const runs = await runOf(demo);
    renameSync(demo, join(folder, 'updated'));
    demo = join(folder, 'updated');
    await restart();
    expect(library.list()).toMatchObject([{ id: 'demo', path: demo, runs: 1, state: { kind: 'ready' } }]);
    expect(store.get(runs).modelId).toBe('demo');
  });
});

async function runOf(path: string): Promise<string> {
  const recipe = parseRecipe({ model: path, method: 'magnitude', scheduler: { kind: 'uniform' } });
  const [row] = await new History(store).queue({ name: 'run', recipes: [recipe], runsFolder: join(folder, 'runs') });
  return row?.id ?? '';
}

test('a damaged history does not cost the library', async () => {
  const [added] = await library.add([model('a')]);
  await library.settled();
  const before = library.list();
  library.close();
  store.close();
  const path = join(folder, 'history.sqlite');
  const bytes = readFileSync(path);
  // The last pages: indexes of a table that is empty here.
  writeFileSync(path, bytes.fill(0xa5, bytes.length - 4096));
  const opened = openStore(path);
  expect(opened.notices.map(({ code }) => code)).toEqual(['history.rebuilt']);
  opened.store.close();
  open();
  await library.settled();
  expect(library.list()).toEqual(before);
  expect(library.get(added?.id ?? '').state.kind).toBe('ready');
});

test('the demo model, added by hand before, is in the list once', async () => {
  const [added] = await library.add([model('a')]);
  const run = await runOf(added?.path ?? '');
  demo = added?.path ?? '';
  await restart();
  expect(library.list()).toMatchObject([{ id: 'demo', path: demo, runs: 1 }]);
  expect(store.get(run).modelId).toBe('demo');
});

describe('runs of a model', () => {
  test('are counted, follow it where it is moved, and outlive it', async () => {
    const path = model('a');
    const early = await runOf(path);
    expect(store.get(early).modelId).toBeNull();
    const [added] = await library.add([path]);
    const id = added?.id ?? '';
    const late = await runOf(path);
    expect([early, late].map((run) => store.get(run).modelId)).toEqual([id, id]);
    expect(library.get(id).runs).toBe(2);
    renameSync(path, join(folder, 'moved'));
    expect(await library.relocate(id, join(folder, 'moved'))).toMatchObject({ id, name: 'moved', runs: 2 });
    library.remove(id);
    expect([early, late].map((run) => store.get(run).modelId)).toEqual([null, null]);
    expect(store.get(early).modelPath).toBe(path);
  });
});

describe('folders that change', () => {
  test('a folder that is moved away is missing, and read no second time when it is back', async () => {
    const path = model('a');
    await library.add([path]);
    await library.settled();
    changes = 0;
    renameSync(path, join(folder, 'elsewhere'));
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a missing']), patience);
    expect(changes).toBe(1);
    renameSync(join(folder, 'elsewhere'), path);
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a ready']), patience);
    expect(inspected).toEqual([demo, path]);
  });

  test('what is missing at the start is found when it comes', async () => {
    const path = model('a');
    await library.add([path]);
    await library.settled();
    renameSync(path, join(folder, 'elsewhere'));
    await restart();
    expect(kinds()).toEqual(['demo-model ready', 'a missing']);
    renameSync(join(folder, 'elsewhere'), path);
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a ready']), patience);
  });

  test('another config is read again, and only once for many changes', async () => {
    const path = model('a');
    await library.add([path]);
    await library.settled();
    for (let round = 0; round < 5; round += 1) {
      writeFileSync(join(path, 'config.json'), '{'.repeat(round + 1));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a refused']), patience);
    cpSync(join(demoModel, 'config.json'), join(path, 'config.json'));
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a ready']), patience);
    expect(inspected).toEqual([demo, path, path, path]);
  });

  test('a folder that was removed and made again is watched as before', async () => {
    const path = model('a');
    await library.add([path]);
    await library.settled();
    rmSync(path, { recursive: true });
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a missing']), patience);
    mkdirSync(path);
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a refused']), patience);
    cpSync(demoModel, path, { recursive: true });
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'a ready']), patience);
  });

  test('located elsewhere, the new folder is watched and the old one is not', async () => {
    const path = model('a');
    const [added] = await library.add([path]);
    await library.settled();
    const other = model('b');
    expect(await library.relocate(added?.id ?? '', other)).toMatchObject({ path: other });
    await library.settled();
    await expect(library.relocate(added?.id ?? '', demo)).rejects.toMatchObject({ code: 'model.listed' });
    rmSync(path, { recursive: true });
    writeFileSync(join(other, 'config.json'), '{');
    await vi.waitFor(() => expect(kinds()).toEqual(['demo-model ready', 'b refused']), patience);
  });
});

test('what was changed while the application was not there is read at its start', async () => {
  const path = model('a');
  await library.add([path]);
  await library.settled();
  library.close();
  writeFileSync(join(path, 'config.json'), '{');
  await restart();
  expect(inspected).toEqual([path]);
  expect(kinds()).toEqual(['demo-model ready', 'a refused']);
});
