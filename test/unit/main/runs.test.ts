import { appendFileSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { RunEvent, TimedEvent } from '../../../src/contract/events.ts';
import { parseRecipe } from '../../../src/contract/recipe.ts';
import { Runs } from '../../../src/main/engine/runs.ts';
import { readEvents } from '../../../src/main/history/folder.ts';
import { History } from '../../../src/main/history/history.ts';
import { openStore, type OpenedStore } from '../../../src/main/history/open.ts';
import { children, type Child } from '../../fixtures/engine-children.ts';
import { told } from '../../fixtures/events.ts';
import { beginRun } from '../../fixtures/run-folders.ts';

vi.mock('electron', async () => (await import('../../fixtures/engine-children.ts')).electron);

const recipe = parseRecipe({ model: '/m', sparsity: 0.5, scheduler: { kind: 'uniform' }, method: 'magnitude' });
const at = '2026-11-23T10:00:00.000Z';
const earlier: RunEvent[] = [0, 1, 2].map((block) => ({ type: 'block', block, blocks: 9, seconds: 1 }));
const further: RunEvent[] = [3, 4, 5].map((block) => ({ type: 'block', block, blocks: 9, seconds: 1 }));
const usage: RunEvent = { type: 'gpu-usage', memoryBytes: 1, utilization: null };

let folder: string;
let opened: OpenedStore;
let runs: Runs;
let id: string;
let path: string;
let pushed: TimedEvent[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-runs-'));
  mkdirSync(join(folder, 'runs'));
  opened = openStore(join(folder, 'history.sqlite'));
  const history = new History(opened.store);
  const [row] = await history.queue({ name: 'run', recipes: [recipe], runsFolder: join(folder, 'runs') });
  if (!row) throw new Error('no run');
  ({ id, path } = row);
  pushed = [];
  children.length = 0;
  runs = new Runs(
    history,
    { entry: '/engine.js', env: () => ({}), log: () => undefined },
    {
      onEvents: (_, events) => pushed.push(...events),
      onChange: () => undefined,
      onEnded: () => undefined,
      onAttempt: () => undefined,
      onUnreached: () => undefined,
      onTrouble: () => undefined,
      onBusy: () => undefined,
    },
  );
});
afterEach(async () => {
  const closed = runs.close();
  for (const child of children) child.exit(0);
  await closed;
  opened.store.close();
  rmSync(folder, { recursive: true });
});

/** The run's folder as an earlier start left it; then the run is started. */
function resumed(events: readonly RunEvent[]): Child {
  beginRun(
    path,
    recipe,
    events.map((event) => ({ at, ...event })),
  );
  return begun();
}

function begun(): Child {
  runs.pump();
  return children.at(-1) ?? expect.fail('no process');
}

function log(events: readonly TimedEvent[]): void {
  for (const { at, event } of events)
    appendFileSync(join(path, 'events.jsonl'), `${JSON.stringify({ at, ...event })}\n`);
}

/** What is logged of them. */
const logged = (events: readonly TimedEvent[]): TimedEvent[] => events.filter(({ event }) => event !== usage);

test('a new run is asked for before it has a folder, and has told all that its process has', async () => {
  const child = begun();
  expect(child.received).toMatchObject([{ kind: 'compress' }]);
  const events = told([...earlier, usage, ...further]);
  child.say({ kind: 'events', events: events.slice(0, 2) });
  expect(await runs.events(id)).toEqual(events.slice(0, 2));
  child.say({ kind: 'events', events: events.slice(2) });
  expect(await runs.events(id)).toEqual(events);
  expect(pushed).toEqual(events);
});

test('a run that is resumed has told what is in its log, then what its process tells: each once, in order', async () => {
  const child = resumed(earlier);
  const before = told(earlier, 0, at);
  // Asked while the log is still being read.
  const asked = runs.events(id);
  const after = told([usage, ...further], earlier.length);
  log(logged(after).slice(0, 2));
  child.say({ kind: 'events', events: after.slice(0, 3) });
  expect(await asked).toEqual([...before, ...after.slice(0, 3)]);
  log(logged(after).slice(2));
  expect(await runs.events(id)).toEqual([...before, ...after]);
  child.say({ kind: 'events', events: after.slice(3) });
  expect(await runs.events(id)).toEqual([...before, ...after]);
});

test('what its process logged and could not say before it was killed is not lost', async () => {
  const child = resumed(earlier);
  const after = told(further, earlier.length);
  child.say({ kind: 'events', events: after.slice(0, 1) });
  log(after.slice(0, 2));
  appendFileSync(join(path, 'events.jsonl'), `{"at":"${at}","type":"blo`);
  child.exit(9);
  await vi.waitFor(() => expect(runs.active).toEqual([]));
  expect(await runs.events(id)).toEqual([...told(earlier, 0, at), ...after.slice(0, 2)]);
});

test('what passes has its place before what came after it', async () => {
  const child = begun();
  const finished: RunEvent = { type: 'finished', seconds: 1 };
  const events = told([...earlier, usage, finished]);
  child.say({ kind: 'events', events });
  expect((await runs.events(id)).map(({ event }) => event.type)).toEqual([
    'block',
    'block',
    'block',
    'gpu-usage',
    'finished',
  ]);
});

test('a damaged log is told to who asks, and stops no run', async () => {
  beginRun(path, recipe);
  writeFileSync(join(path, 'events.jsonl'), 'not an event\n');
  const child = begun();
  await expect(runs.events(id)).rejects.toMatchObject({ code: 'file.not-json' });
  expect(runs.active).toEqual([id]);
  expect(child.received).toMatchObject([{ kind: 'resume' }]);
});

test('the log of an older version is numbered by its lines', async () => {
  beginRun(path, recipe);
  const old = readFileSync(join(import.meta.dirname, '../../fixtures/runs/interrupted-events.jsonl'));
  writeFileSync(join(path, 'events.jsonl'), old);
  const child = begun();
  const before = await readEvents(path);
  child.say({ kind: 'events', events: told(further, before.length) });
  const all = await runs.events(id);
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
  expect(all).toEqual([...before, ...told(further, before.length)]);
});
