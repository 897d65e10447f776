import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import type { Page } from 'playwright';

import { labels } from '../../src/contract/messages/labels.ts';
import { firstPageOf } from '../e2e/connect.ts';
import { commandOf, type Command } from '../e2e/launch.ts';
import { emptyWindow } from './empty-window.ts';
import { median } from './figures.ts';
import { cpuSecondsIn, memoryOf, treeOf } from './processes.ts';

/** Starts that count; one before them fills the caches. */
const ROUNDS = 5;
/** After so long nothing of a start is still going on, ms. */
const CALM_MS = 8000;
const IDLE_MS = 10_000;

/** Milliseconds from spawn, bytes, CPU seconds; medians of each round's figures. */
export interface StartUp {
  /** To the first picture of an empty window. */
  readonly empty: number;
  /** To a Start button that can be pressed. */
  readonly application: number;
  readonly idle: { readonly memory: number; readonly processes: number; readonly cpuSeconds: number };
  readonly emptyMemory: number;
}

/** Starts the application at the demo model's new run and an empty window in turn; then watches them idle. */
export async function measureStartUp(folder: string): Promise<StartUp> {
  const { executable, args } = await emptyWindow();
  const empty = { executable, args: [...args, `--user-data-dir=${join(folder, 'empty')}`], env: {} };
  const application = await commandOf({ folder, args: ['--open=/new?model=demo'] });
  const times: { empty: number; application: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    times.push({ empty: await timeOf(empty, firstPicture), application: await timeOf(application, startEnabled) });
  }
  const counted = times.slice(1);
  return {
    empty: median(counted.map((one) => one.empty)),
    application: median(counted.map((one) => one.application)),
    idle: await idleOf(application),
    emptyMemory: (await idleOf(empty)).memory,
  };
}

/** When the page was first painted, in milliseconds since 1970. */
async function firstPicture(page: Page): Promise<number> {
  const painted = await page.waitForFunction(() => {
    const [entry] = performance.getEntriesByName('first-contentful-paint');
    return entry && performance.timeOrigin + entry.startTime;
  });
  return (await painted.jsonValue()) ?? NaN;
}

/** When the button was seen to be enabled, in milliseconds since 1970. */
async function startEnabled(page: Page): Promise<number> {
  const enabled = await page.waitForFunction((label) => {
    const buttons = [...document.querySelectorAll<HTMLButtonElement>('.plan-panel button')];
    const isEnabled = buttons.some((button) => button.textContent === label && !button.disabled);
    return isEnabled && performance.timeOrigin + performance.now();
  }, labels('en')('plan.start'));
  return Number(await enabled.jsonValue());
}

async function timeOf(command: Command, ready: (page: Page) => Promise<number>): Promise<number> {
  const from = Date.now();
  const main = start(command);
  const until = await ready(await firstPageOf(main));
  await end(main);
  return until - from;
}

async function idleOf(command: Command): Promise<StartUp['idle']> {
  const main = start(command);
  await wait(CALM_MS);
  const cpuSeconds = await cpuSecondsIn(main.pid ?? 0, IDLE_MS);
  const tree = treeOf(main.pid ?? 0);
  const idle = { memory: memoryOf(tree), processes: tree.length, cpuSeconds };
  await end(main);
  return idle;
}

function start({ executable, args, env }: Command): ChildProcess {
  const own = ['--no-sandbox', '--remote-debugging-port=0'];
  return spawn(executable, [...args, ...own], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
}

async function end(main: ChildProcess): Promise<void> {
  const ended = once(main, 'exit');
  main.kill('SIGTERM');
  await ended;
}
