import { randomUUID } from 'node:crypto';
import { rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import type { Failure } from '../../contract/failure.ts';
import type { PointQuery, AttemptRow, RunPage, RunPoint, RunQuery, RunRow } from '../../contract/history.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { makeFolder } from '../../disk/files.ts';
import type { EndState } from './card.ts';
import { readReport, requireRunFolder } from './folder.ts';
import { followingAttempt, listAttempts } from './attempts.ts';
import { folderName, LONGEST, nameOf } from './names.ts';
import { adopt, keepCard, recover, scan, settle, type Scan } from './recovery.ts';
import { rowOf, type RunHead, type StoredRow } from './rows.ts';
import type { Store } from './store.ts';

export interface NewRuns {
  /** As the person typed it; empty = named after what is in the recipe. */
  readonly name: string;
  /** More than one are a sweep. */
  readonly recipes: readonly Recipe[];
  /** Folder that each gets a folder in. */
  readonly runsFolder: string;
}

export interface Finished {
  readonly row: RunRow;
  /** The next attempt at its goal, queued. */
  readonly next: RunRow | null;
  /** Why its goal is given up. */
  readonly unreached: Failure | null;
}

interface NewRun {
  readonly name: string;
  readonly recipe: Recipe;
}

/**
 * All runs, and what happens to them. A run's row is there from when it is queued. What the engine does not write
 * itself also goes to the `run.json` of the run's folder, so that the database can be rebuilt from the folders.
 */
export class History {
  readonly #store: Store;
  /** Runs that the application's last end interrupted. */
  #interrupted: readonly string[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  // Questions

  get(id: string): RunRow {
    return this.#store.get(id);
  }

  /** As it was asked for; once the run is finished, with all decided that it left open. */
  recipe(id: string): Recipe {
    return this.#store.recipe(id);
  }

  list(query: RunQuery): RunPage {
    return this.#store.page(query);
  }

  /** Finished runs that match, newest first, at most 2,000. */
  points(query: PointQuery): RunPoint[] {
    return this.#store.points(query);
  }

  /** The attempts at a run's goal, oldest first; none without a goal. */
  async attempts(id: string): Promise<AttemptRow[]> {
    return await listAttempts(this.#store, id);
  }

  /** Queued runs in the order in which they are to begin. */
  queued(): RunRow[] {
    return this.#store.runsIn('queued');
  }

  /** Runs that the application's last end interrupted or kept from beginning, unless somebody has dealt with them. */
  interrupted(): RunRow[] {
    const rows = this.#interrupted.flatMap((id) => this.#store.find(id) ?? []);
    return rows.filter(({ state }) => state === 'lost' || state === 'paused');
  }

  // What happens to a run

  /** Lists new runs, in order, and makes their folders. Those with a goal are a sweep, as its further attempts will be in it. */
  async queue({ name, recipes, runsFolder }: NewRuns): Promise<RunRow[]> {
    const isSweep = recipes.length > 1 || recipes.some(({ fit }) => fit !== null);
    const named = recipes.map((recipe) => ({ recipe, name: nameOf(name, recipe, recipes.length) }));
    return await this.#enlist(named, isSweep ? randomUUID() : null, runsFolder);
  }

  async #enlist(named: readonly NewRun[], sweep: string | null, runsFolder: string): Promise<RunRow[]> {
    const createdAt = new Date().toISOString();
    const runs = named.map(({ name, recipe }) => {
      const id = randomUUID();
      const path = join(runsFolder, folderName(name, id));
      const blank = { notes: '', tags: [], failure: null, finishedAt: null };
      const head: RunHead = { id, name, state: 'queued', path, sweep, createdAt, ...blank };
      return { id, path, recipe, row: rowOf(head, recipe, null) };
    });
    for (const { path } of runs) makeFolder(path);
    try {
      this.#store.transaction(() => runs.forEach(({ row, recipe }) => this.#list(row, recipe)));
    } catch (error) {
      for (const { path } of runs) rmdirSync(path);
      throw error;
    }
    await Promise.all(runs.map(({ id }) => keepCard(this.#store, id)));
    return runs.map(({ id }) => this.get(id));
  }

  #list(row: StoredRow, recipe: Recipe): void {
    this.#store.insert(row, recipe);
    this.#store.enqueue(row.id);
  }

  /** The run begins. */
  start(id: string): RunRow {
    this.#store.dequeue(id);
    return this.#store.change(id, { state: 'running', failure: null, finishedAt: null });
  }

  /** A run that was stopped or interrupted goes to the end of the queue. */
  async requeue(id: string): Promise<RunRow> {
    this.#store.transaction(() => {
      this.#store.change(id, { state: 'queued', failure: null, finishedAt: null });
      this.#store.enqueue(id);
    });
    await keepCard(this.#store, id);
    return this.get(id);
  }

  /**
   * The run is finished: its report becomes part of the row. The next attempt at its goal is listed before that, so that the search goes
   * on whatever ends the application in between.
   */
  async finish(id: string): Promise<Finished> {
    const { path } = this.get(id);
    const report = await readReport(path);
    if (!report) throw new TamisError('run.not-finished', { path });
    const followed = await this.#follow(id);
    this.#store.transaction(() => {
      this.#store.dequeue(id);
      this.#store.change(id, rowOf({ ...this.get(id), state: 'finished', failure: null }, report.recipe, report));
      this.#store.putRecipe(id, report.recipe);
    });
    await keepCard(this.#store, id);
    return { row: this.get(id), ...followed };
  }

  /** Queues the next attempt at a run's goal, in its sweep and beside its folder, where the run has a report and its goal is not reached. */
  async #follow(id: string): Promise<Omit<Finished, 'row'>> {
    const following = await followingAttempt(this.#store, id);
    if (following?.kind !== 'attempt') return { next: null, unreached: following?.failure ?? null };
    const { sweep, path } = this.get(id);
    const named = { name: following.name.slice(0, LONGEST), recipe: following.recipe };
    const [next = null] = await this.#enlist([named], sweep, dirname(path));
    return { next, unreached: null };
  }

  /** The run ended otherwise. */
  async end(id: string, state: EndState, failure: Failure | null): Promise<RunRow> {
    const at = new Date().toISOString();
    // First the folder: it is what is left if the database takes no more.
    await keepCard(this.#store, id, { state, failure, at });
    this.#store.transaction(() => {
      this.#store.dequeue(id);
      this.#store.change(id, { state, failure, finishedAt: at });
    });
    return this.get(id);
  }

  /** What the person at the window calls it. */
  async update(id: string, { name, notes, tags }: Pick<RunRow, 'name' | 'notes' | 'tags'>): Promise<RunRow> {
    const row = this.#store.change(id, { name, notes, tags });
    await keepCard(this.#store, id);
    return row;
  }

  /** Lists a run's folder made by the command line or another installation; one that is listed already is read again. */
  async import(path: string): Promise<RunRow> {
    const found = await requireRunFolder(path);
    const known = this.#store.at(path);
    if (!known) return await adopt(this.#store, found);
    return known.state === 'running' || known.state === 'queued' ? known : settle(this.#store, known.id, found);
  }

  // After the application's end, whatever ended it

  /**
   * Before anything else is asked: what ran or was queued when the application ended does so no more. An attempt at a goal that turns
   * out to be finished is followed by the next, which waits like those.
   */
  async recover(): Promise<void> {
    for (const { id } of this.#store.runsIn('running')) await this.#follow(id);
    this.#interrupted = await recover(this.#store);
  }

  /** Compares the list with the folders; in the background, it may take a while. */
  async scan(scanned: Scan): Promise<void> {
    await scan(this.#store, scanned);
  }
}
