import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import SQLite from 'better-sqlite3';
import type { Page } from 'playwright';

import { newestRuns, type RunRow, type RunState } from '../../src/contract/history.ts';
import { ask } from '../e2e/ask.ts';

/** What is found in the background after a start has so long to be found. */
const SETTLE_MS = 10_000;

interface Entry {
  readonly row: RunRow;
  readonly files: string;
}

/** What the history must hold: every run that was once finished, as it was then. */
export class Ledger {
  readonly #data: string;
  readonly #finished = new Map<string, Entry>();
  /** Runs that are being deleted when the application is killed. */
  readonly #leaving = new Map<string, Entry>();

  /** Of the application's data folder. */
  constructor(data: string) {
    this.#data = data;
  }

  /** Ids, oldest first. */
  get finished(): string[] {
    return [...this.#finished.keys()];
  }

  /** What the longest of them took; without any, `before`. */
  longestSeconds(before: number): number {
    const seconds = [...this.#finished.values()].map(({ row }) => row.seconds ?? 0);
    return seconds.length === 0 ? before : Math.max(...seconds);
  }

  /** Newest first. */
  async rows(page: Page, states: readonly RunState[] = []): Promise<RunRow[]> {
    return (await ask(page, 'runs.list', { ...newestRuns, states: [...states] })).rows;
  }

  /** Compares what the application says with what it said before, and with the folders. */
  async check(page: Page): Promise<void> {
    await this.#settled(page);
    const rows = new Map((await this.rows(page)).map((row) => [row.id, row]));
    for (const [id, before] of this.#finished) {
      const row = rows.get(id);
      assert.deepEqual(row, before.row);
      assert.equal(filesIn(before.row.path), before.files, `the files of ${before.row.path} have changed`);
    }
    for (const row of rows.values()) {
      assert.notEqual(row.state, 'running', `${row.id} is said to run`);
      assert.notEqual(row.state, 'queued', `${row.id} is said to wait`);
      const hasReport = existsSync(join(row.path, 'report.json'));
      assert.equal(
        row.state === 'finished',
        hasReport,
        `${row.path} is ${row.state} with${hasReport ? '' : 'out'} a report`,
      );
      if (row.state === 'finished') this.#finished.set(row.id, { row, files: filesIn(row.path) });
    }
  }

  /** Into a copy: looking at it would already mend what a kill has left. */
  checkDatabase(): void {
    const folder = mkdtempSync(join(tmpdir(), 'tamis-database-'));
    try {
      for (const end of ['', '-wal', '-shm']) {
        const file = join(this.#data, `history.sqlite${end}`);
        if (existsSync(file)) copyFileSync(file, join(folder, basename(file)));
      }
      const database = new SQLite(join(folder, 'history.sqlite'));
      assert.deepEqual(database.pragma('integrity_check'), [{ integrity_check: 'ok' }]);
      assert.deepEqual(database.pragma('foreign_key_check'), []);
      database.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
    const damaged = readdirSync(this.#data).filter((name) => name.includes('damaged'));
    assert.deepEqual(damaged, [], 'the application took its database for damaged');
  }

  /** The oldest of them, which is about to be deleted. */
  leave(): string {
    const [first] = this.#finished;
    assert.ok(first, 'no run is finished');
    const [id, entry] = first;
    this.#leaving.set(id, entry);
    this.#finished.delete(id);
    return id;
  }

  /** Deletes the oldest of them but so many. */
  async deleteBut(page: Page, kept: number): Promise<void> {
    const ids = this.finished.slice(0, Math.max(0, this.#finished.size - kept));
    if (ids.length > 0) await ask(page, 'runs.delete', { ids });
    for (const id of ids) this.#finished.delete(id);
  }

  /** A run whose deletion a kill has interrupted is as it was or gone, folder and all: whether it is gone. */
  async settleDeletion(page: Page, id: string): Promise<boolean> {
    const entry = this.#leaving.get(id);
    assert.ok(entry);
    this.#leaving.delete(id);
    await this.#settled(page);
    const isListed = (await this.rows(page)).some((row) => row.id === id);
    assert.equal(existsSync(entry.row.path), isListed, `${entry.row.path} is ${isListed ? '' : 'not '}listed`);
    if (isListed) this.#finished.set(id, entry);
    return !isListed;
  }

  /** Waits until the application has done what it does in the background after its start. */
  async #settled(page: Page): Promise<void> {
    const runs = join(this.#data, 'runs');
    const until = performance.now() + SETTLE_MS;
    for (;;) {
      const folders = existsSync(runs) ? readdirSync(runs) : [];
      const listed = new Set((await this.rows(page)).map(({ path }) => path));
      const unknown = folders.map((name) => join(runs, name)).filter((path) => !listed.has(path) && isRun(path));
      if (unknown.length === 0) return;
      assert.ok(performance.now() < until, `not listed, nor removed: ${unknown.join(', ')}`);
      await wait(20);
    }
  }
}

/** A folder that was made for a run that was never queued is empty. */
function isRun(path: string): boolean {
  return basename(path).startsWith('.') || readdirSync(path).length > 0;
}

/** Names, sizes and the report's content of a run's folder. */
function filesIn(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const sizes = names.map((name) => `${name} ${statSync(join(folder, name)).size}`);
  const report = createHash('sha256')
    .update(readFileSync(join(folder, 'report.json')))
    .digest('hex');
  return [...sizes, report].join('\n');
}
