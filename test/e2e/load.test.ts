import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import SQLite from 'better-sqlite3';
import type { ElectronApplication } from 'playwright';
import { expect } from 'vitest';
import { z } from 'zod';

import type { RunEvent, TimedEvent } from '../../src/contract/events.ts';
import { CHANNEL } from '../../src/contract/channel.ts';
import { labels } from '../../src/contract/messages/labels.ts';
import type { LayerResult } from '../../src/contract/report.ts';
import { openStore } from '../../src/main/history/open.ts';
import { rowOf } from '../../src/main/history/rows.ts';
import { told } from '../fixtures/events.ts';
import { llamaTypes, sampleReport } from '../fixtures/report.ts';
import { beginRun } from '../fixtures/run-folders.ts';
import { test } from './application.ts';

const id = 'a-large-run';
const blocks = 96;
const updates = 100;
const updatesPerSecond = 10;
const report = sampleReport(blocks, llamaTypes);
const at = new Date().toISOString();

test('96 blocks x 7 layers and 10 updates a second: no task of the page takes over 50 ms', async ({
  start,
  folder,
}) => {
  const data = join(folder, 'user-data');
  layOut(data);
  const { app, page } = await start();
  sayThatItRuns(data);
  await page.evaluate((to) => (location.hash = to), `#/runs/${id}`);
  await page
    .locator('[data-layer]')
    .nth(report.layers.length - 1)
    .waitFor();
  await page.waitForTimeout(2000);

  await app.evaluate(
    ({ contentTracing }, category) => contentTracing.startRecording({ included_categories: [category] }),
    taskCategory,
  );
  await tellAll(app);
  await page.waitForTimeout(500);
  const tasks = tasksIn(await app.evaluate(({ contentTracing }) => contentTracing.stopRecording()));
  // Only now: a test's own look at so large a page is a long task too.
  await page.getByText(labels('en')('pace.block-of', { block: blocks, blocks })).waitFor();
  // It was drawing all the while.
  expect(tasks.length).toBeGreaterThan(5 * updates);
  expect(Math.max(...tasks)).toBeLessThan(50);
});

/** A run that has told its layers and their schedule, and no more. */
function layOut(data: string): void {
  const path = join(data, 'runs', id);
  const { store } = openStore(join(data, 'history.sqlite'));
  const blank = { notes: '', tags: [], sweep: null, finishedAt: null, failure: null };
  const head = { id, name: 'A large run', state: 'paused' as const, path, createdAt: at, ...blank };
  store.insert(rowOf(head, report.recipe, null), report.recipe);
  store.close();
  beginRun(
    path,
    report.recipe,
    logged.map((event) => ({ at, ...event })),
  );
}

/** The application takes it for interrupted otherwise. */
function sayThatItRuns(data: string): void {
  const database = new SQLite(join(data, 'history.sqlite'));
  database.prepare("UPDATE runs SET state = 'running' WHERE id = ?").run(id);
  database.close();
}

const compressing: RunEvent = { type: 'stage', stage: 'compress', state: 'started', seconds: 0 };
const logged = [announced(), scheduled(), compressing];

function announced(): RunEvent {
  const layers = report.layers.map(({ name, block, type, rows, cols }) => ({ name, block, type, rows, cols }));
  return { type: 'layers', layers };
}

function scheduled(): RunEvent {
  const by = <T>(value: (layer: LayerResult) => T): Record<string, T> =>
    Object.fromEntries(report.layers.map((layer) => [layer.name, value(layer)]));
  return {
    type: 'schedule',
    sparsities: by((layer) => layer.targetSparsity),
    groups: by((layer) => layer.group ?? 0),
    centroids: report.centroids,
    estimates: by((layer) => layer.estimate ?? 0),
    sensitivities: {},
  };
}

/** Tells of one block after the other, from the main process. */
async function tellAll(app: ElectronApplication): Promise<void> {
  const batches: TimedEvent[][] = [];
  let last = logged.length;
  for (let index = 0; index < updates; index++) {
    const time = new Date(Date.parse(at) + 100 * index).toISOString();
    const batch = told(eventsOf(index), last, time);
    last = batch.at(-1)?.seq ?? last;
    batches.push(batch);
  }
  await app.evaluate(
    async ({ BrowserWindow }, { channel, run, batches, pause }) => {
      for (const events of batches) {
        BrowserWindow.getAllWindows()[0]?.webContents.send(channel, { name: 'run.events', value: { id: run, events } });
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },
    { channel: CHANNEL, run: id, batches, pause: 1000 / updatesPerSecond },
  );
}

/** One block compressed, and how far the run is. */
function eventsOf(index: number): RunEvent[] {
  const layers = report.layers.filter(({ block }) => block === index);
  const progress: RunEvent = {
    type: 'progress',
    stage: 'compress',
    done: index,
    total: updates,
    block: Math.min(index, blocks - 1),
    tokensPerSecond: 1000 + index,
    remainingSeconds: updates - index,
    memoryBytes: 2 ** 30 + index,
  };
  const events: RunEvent[] = [progress, ...layers.map((layer): RunEvent => ({ type: 'layer', layer }))];
  if (index < blocks) events.push({ type: 'block', block: index, blocks, seconds: 1 });
  return events;
}

const taskCategory = 'disabled-by-default-devtools.timeline';

/** What Chromium writes of a thread's name and of each task on it; microseconds. */
const traceSchema = z.object({
  traceEvents: z.array(
    z.object({
      pid: z.number(),
      tid: z.number(),
      name: z.string(),
      args: z.record(z.string(), z.unknown()).optional(),
      tdur: z.number().optional(),
    }),
  ),
});

/**
 * Milliseconds of each task of the page's main thread: of its own time on a processor, which other programs on this
 * machine do not lengthen.
 */
function tasksIn(file: string): number[] {
  const { traceEvents } = traceSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  rmSync(file);
  const thread = ({ pid, tid }: { pid: number; tid: number }): string => `${pid}/${tid}`;
  const pages = traceEvents.filter(({ name, args }) => name === 'thread_name' && args?.['name'] === 'CrRendererMain');
  const mains = new Set(pages.map(thread));
  const tasks = traceEvents.filter((event) => event.name === 'RunTask' && mains.has(thread(event)));
  return tasks.map(({ tdur = 0 }) => tdur / 1000);
}
