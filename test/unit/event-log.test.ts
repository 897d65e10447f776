import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import type { RunEvent, TimedEvent } from '../../src/contract/events.ts';
import { parseRecipe } from '../../src/contract/recipe.ts';
import { readEvents } from '../../src/main/history/folder.ts';
import { RunDirectory } from '../../src/worker/run/directory.ts';
import { EventLog } from '../../src/worker/run/event-log.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('event-log');
afterAll(() => folder.remove());

const recipe = parseRecipe({ model: '/m', sparsity: 0.5, scheduler: { kind: 'uniform' }, method: 'magnitude' });
const block = (number: number): RunEvent => ({ type: 'block', block: number, blocks: 9, seconds: 1 });
const usage: RunEvent = { type: 'gpu-usage', memoryBytes: 1, utilization: null };
const warning = (layer: string): RunEvent => ({ type: 'warning', code: 'x', params: { layer, columns: 3 } });

let count = 0;
const fresh = (): string => join(folder.path, `run-${++count}`);
const numbers = (events: readonly TimedEvent[]): number[] => events.map(({ seq }) => seq);

/** One start of a run that tells these events and is killed: nothing is closed but the lock. */
async function start(path: string, events: readonly RunEvent[]): Promise<TimedEvent[]> {
  const heard: TimedEvent[] = [];
  const directory = await RunDirectory.create(path, recipe).catch(() => RunDirectory.open(path));
  const { emit } = new EventLog((event, mark) => heard.push({ ...mark, event }), directory);
  for (const event of events) emit(event);
  directory[Symbol.dispose]();
  return heard;
}

test('what is heard is what is logged, numbers and times alike', async () => {
  const path = fresh();
  const heard = await start(path, [block(0), usage, block(1)]);
  expect(numbers(heard)).toEqual([1, 1, 2]);
  expect(await readEvents(path)).toEqual(heard.filter(({ event }) => event !== usage));
});

test('a run that is resumed goes on with the number after the last line of its log', async () => {
  const path = fresh();
  const first = await start(path, [block(0), block(1)]);
  const second = await start(path, [usage, block(1), block(2)]);
  expect(numbers(second)).toEqual([2, 3, 4]);
  expect(await readEvents(path)).toEqual([...first, ...second.slice(1)]);
});

test('a line that a kill cut short has no number: the next event takes its place', async () => {
  const path = fresh();
  const first = await start(path, [block(0), block(1)]);
  // Cut within a character of three bytes.
  const torn = Buffer.from(
    '{"at":"2026-11-23T10:00:00.000Z","type":"warning","code":"x","params":{"layer":"剪',
  ).subarray(0, -1);
  appendFileSync(join(path, 'events.jsonl'), torn);
  expect(await readEvents(path)).toEqual(first);
  const second = await start(path, [block(2)]);
  expect(numbers(second)).toEqual([3]);
  expect(await readEvents(path)).toEqual([...first, ...second]);
});

test('what is told before the folder is there is its first lines', async () => {
  const path = fresh();
  const heard: TimedEvent[] = [];
  const log = new EventLog((event, mark) => heard.push({ ...mark, event }));
  log.emit(usage);
  log.emit(warning('a'));
  log.emit(block(0));
  const directory = await RunDirectory.create(path, recipe);
  log.openIn(directory);
  log.emit(block(1));
  directory[Symbol.dispose]();
  expect(numbers(heard)).toEqual([0, 1, 2, 3]);
  expect(await readEvents(path)).toEqual(heard.slice(1));
});

test('a warning is told once a start', async () => {
  const path = fresh();
  const turned: RunEvent = { type: 'warning', code: 'x', params: { columns: 3, layer: 'a' } };
  const told = [warning('a'), warning('b'), warning('a'), turned];
  expect((await start(path, told)).map(({ event }) => event)).toEqual([warning('a'), warning('b')]);
  expect(numbers(await start(path, told))).toEqual([3, 4]);
});

test('the log of an older version opens, numbered by its lines, and goes on', async () => {
  const path = fresh();
  await start(path, []);
  const old = readFileSync(join(import.meta.dirname, '../fixtures/runs/interrupted-events.jsonl'));
  writeFileSync(join(path, 'events.jsonl'), old);
  const lines = old.toString().trimEnd().split('\n');
  const before = await readEvents(path);
  expect(numbers(before)).toEqual(lines.map((_, index) => index + 1));
  expect(before.map(({ at }) => at)).toEqual(lines.map((line) => (JSON.parse(line) as { at: string }).at));
  expect(numbers(await start(path, [block(9)]))).toEqual([lines.length + 1]);
  expect(readFileSync(join(path, 'events.jsonl')).subarray(0, old.length)).toEqual(old);
});
