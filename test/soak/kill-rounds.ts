import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

import { resumable, type RunRow, type RunState } from '../../src/contract/history.ts';
import { ask, rowOf, startRun, tinyRecipe } from '../e2e/ask.ts';
import { commandOf, launch, type Running } from '../e2e/launch.ts';
import { enginesOf, isAlive, processesWith, timeToEnd } from '../e2e/processes.ts';
import { limits } from '../limits.ts';
import { Ledger } from './ledger.ts';

/** What is killed, and when. Each comes once in so many rounds as there are. */
const scenes = [
  { victim: 'application', moment: 'running' },
  { victim: 'worker', moment: 'running' },
  { victim: 'application', moment: 'reporting' },
  { victim: 'worker', moment: 'starting' },
  { victim: 'application', moment: 'queueing' },
  { victim: 'worker', moment: 'reporting' },
  { victim: 'application', moment: 'deleting' },
  { victim: 'worker', moment: 'running' },
  { victim: 'application', moment: 'opening' },
  { victim: 'application', moment: 'running' },
] as const;
type Scene = (typeof scenes)[number];

/** Longest that a process may outlive its application where nothing else runs. */
const GONE_MS = 5000;
/** So many runs may lie unfinished before one of them is resumed in place of a new one. */
const UNFINISHED = 3;
/** So many finished runs are kept: they take 17 MB each. */
const FINISHED = 12;

export interface KillOptions {
  /** Empty; the application's data, and its runs, go into it. */
  readonly folder: string;
  readonly rounds: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}

/** What came of the rounds. */
export interface Tally {
  /** Of runs that were killed before they were finished, and of those that were just too fast. */
  interrupted: number;
  finished: number;
  deleted: number;
  /** Longest that a process outlived its application that was killed, less what it waited for a processor, ms. */
  slowestEnd: number;
  /** Starts that ended in Electron's own crash and were tried again. */
  crashedStarts: number;
}

/**
 * Starts a run, kills its worker or the whole application at a random moment and starts again, over and over. After each
 * kill the database is checked, and every finished run must be as it was.
 * @throws at the first that is not
 */
export async function killRounds({ folder, rounds, seed, log }: KillOptions): Promise<Tally> {
  const killing = new Killing(folder, seed);
  try {
    for (let round = 0; round < rounds; round++) {
      const scene = scenes[round % scenes.length] ?? scenes[0];
      log(`${round + 1}/${rounds}: ${await killing.round(scene)}`);
    }
    await killing.finishAll();
    return killing.tally;
  } finally {
    await killing.end();
  }
}

class Killing {
  readonly #folder: string;
  readonly #data: string;
  readonly #random: RandomGenerator;
  readonly #ledger: Ledger;
  readonly tally: Tally = { interrupted: 0, finished: 0, deleted: 0, slowestEnd: 0, crashedStarts: 0 };
  #running: Running | null = null;

  constructor(folder: string, seed: number) {
    this.#folder = folder;
    this.#data = join(folder, 'user-data');
    this.#random = xoroshiro128plus(seed);
    this.#ledger = new Ledger(this.#data);
  }

  /** What happened, in words. */
  async round(scene: Scene): Promise<string> {
    const told = scene.victim === 'worker' ? await this.#killWorker(scene) : await this.#killAll(scene);
    const { page } = await this.#open();
    await this.#ledger.check(page);
    this.tally.finished = this.#ledger.finished.length;
    return `${scene.victim} killed while ${scene.moment}: ${told}`;
  }

  /** What was interrupted can still be finished, all of it. */
  async finishAll(): Promise<void> {
    const { page } = await this.#open();
    for (const { id } of await this.#ledger.rows(page, resumable)) {
      await ask(page, 'runs.resume', { id });
      assert.equal((await this.#ended(id)).state, 'finished');
    }
    await this.#ledger.check(page);
    this.tally.finished = this.#ledger.finished.length;
    await this.#running?.close();
    this.#running = null;
    await this.#assertGone();
  }

  async end(): Promise<void> {
    this.#running?.process.kill('SIGKILL');
    await this.#assertGone();
  }

  async #open(): Promise<Running> {
    this.#running ??= await this.#launch();
    return this.#running;
  }

  /**
   * Electron 33 itself crashes in one of several hundred starts on Linux: its Bluetooth thread reads the environment
   * (getenv) while Node writes it.
   */
  async #launch(): Promise<Running> {
    try {
      return await launch({ folder: this.#folder });
    } catch (error) {
      if (!String(error).includes('signal=SIGSEGV')) throw error;
      this.tally.crashedStarts += 1;
      return await launch({ folder: this.#folder });
    }
  }

  async #killWorker({ moment }: Scene): Promise<string> {
    const start = await this.#prepareRun();
    const before = new Set(enginesOf(this.#data).map(({ pid }) => pid));
    const id = await start();
    const engine = await this.#engineBeside(before);
    await this.#reach(id, moment);
    if (isAlive(engine)) process.kill(engine, 'SIGKILL');
    const { state } = await this.#ended(id);
    assert.ok(state === 'killed' || state === 'finished', `a killed worker's run is ${state}`);
    this.#ledger.checkDatabase();
    return this.#count(state);
  }

  async #killAll({ moment }: Scene): Promise<string> {
    if (moment === 'opening') return await this.#killOpening();
    if (moment === 'deleting' && this.#ledger.finished.length > 0) return await this.#killDeleting();
    const start = await this.#prepareRun();
    const started = start();
    if (moment === 'queueing') started.catch(() => undefined);
    const id = moment === 'queueing' ? null : await started;
    await this.#reach(id, moment);
    await this.#kill((await this.#open()).process.pid);
    const { page } = await this.#open();
    await this.#ledger.check(page);
    return id === null ? 'before its run was heard of' : this.#count((await rowOf(page, id)).state);
  }

  /** At any moment of its start, from the first instruction to some time after its window is there. */
  async #killOpening(): Promise<string> {
    const running = await this.#open();
    await running.close();
    this.#running = null;
    const { executable, args, env } = await commandOf({ folder: this.#folder });
    const main = spawn(executable, ['--no-sandbox', ...args], { env, stdio: 'ignore' });
    const from = performance.now();
    await this.#reach(null, 'opening');
    await this.#kill(main.pid);
    return `${Math.round(performance.now() - from)} ms after its start`;
  }

  async #killDeleting(): Promise<string> {
    const { page, process: main } = await this.#open();
    const victim = this.#ledger.leave();
    ask(page, 'runs.delete', { ids: [victim] }).catch(() => undefined);
    await wait(this.#chance(40));
    await this.#kill(main.pid);
    const isGone = await this.#ledger.settleDeletion((await this.#open()).page, victim);
    if (isGone) this.tally.deleted += 1;
    return isGone ? 'the run is gone' : 'the run is as it was';
  }

  #count(state: RunState): string {
    if (state !== 'finished') this.tally.interrupted += 1;
    return `the run is ${state}`;
  }

  /** What starts a new run, or one that was interrupted; its id. */
  async #prepareRun(): Promise<() => Promise<string>> {
    const { page } = await this.#open();
    await this.#ledger.deleteBut(page, FINISHED);
    const unfinished = await this.#ledger.rows(page, resumable);
    const oldest = unfinished.at(-1);
    if (oldest && unfinished.length >= UNFINISHED)
      return async () => {
        await ask(page, 'runs.resume', { id: oldest.id });
        return oldest.id;
      };
    const { calibration, evaluation, ...recipe } = await tinyRecipe(page, { blocks: 2 });
    const tiny = { calibration: { ...calibration, sequences: 2 }, evaluation: { ...evaluation, windows: 1 } };
    return async () => await startRun(page, { ...recipe, ...tiny });
  }

  /** The process that was started for the run. */
  async #engineBeside(before: ReadonlySet<number>): Promise<number> {
    for (;;) {
      const engine = enginesOf(this.#data).find(({ pid }) => !before.has(pid));
      if (engine) return engine.pid;
      await wait(2);
    }
  }

  /** Waits for a random time within a part of the run's life. */
  async #reach(id: string | null, moment: Scene['moment']): Promise<void> {
    // From the start of its process, the longest that one took so far.
    const whole = 500 + 1000 * this.#ledger.longestSeconds(2);
    const limits = { queueing: 60, starting: 300, running: whole, deleting: whole, reporting: 150, opening: 2000 };
    if (id !== null && moment === 'reporting') await reporting((await rowOf((await this.#open()).page, id)).path);
    await wait(this.#chance(limits[moment]));
  }

  async #ended(id: string): Promise<RunRow> {
    const { page } = await this.#open();
    const going: readonly RunState[] = ['queued', 'running'];
    for (;;) {
      const row = await rowOf(page, id);
      if (!going.includes(row.state)) return row;
      await wait(20);
    }
  }

  async #kill(pid: number | undefined): Promise<void> {
    assert.ok(pid, 'the application runs');
    process.kill(pid, 'SIGKILL');
    this.#running = null;
    await this.#assertGone();
    this.#ledger.checkDatabase();
  }

  /** No process of the application is left. */
  async #assertGone(): Promise<void> {
    const took = await timeToEnd(() => processesWith(this.#data));
    assert.ok(took < GONE_MS, `a process was there for ${took} ms after its application`);
    this.tally.slowestEnd = Math.max(this.tally.slowestEnd, took);
  }

  /** A whole number below `limit`. */
  #chance(limit: number): number {
    return uniformInt(this.#random, 0, Math.max(0, Math.round(limit) - 1));
  }
}

/** Waits until the run in that folder, which has just begun, writes its report. */
async function reporting(folder: string): Promise<void> {
  const events = join(folder, 'events.jsonl');
  const told = (): number =>
    existsSync(events) ? readFileSync(events, 'utf8').split('"stage":"report","state":"started"').length : 1;
  // A run that is resumed may have told so before.
  const before = told();
  const until = performance.now() + limits.wait;
  while (told() === before) {
    assert.ok(performance.now() < until, `no report is written in ${folder}`);
    await wait(2);
  }
}
