import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { Notice } from '../../contract/bridge.ts';
import { TamisError } from '../../contract/errors.ts';
import type { RunRow } from '../../contract/history.ts';
import type { Report } from '../../contract/report.ts';
import { endStates, writeCard, type RunCard } from './card.ts';
import { lost, readRunFolder, type FoundRun } from './folder.ts';
import { rowOf } from './rows.ts';
import type { Store } from './store.ts';

/** So many folders are read between two redrawings of a list that is being rebuilt. */
const BATCH = 50;

export interface Scan {
  /** Folder whose folders are runs. */
  readonly runsFolder: string;
  /** Folders of runs that lie elsewhere. */
  readonly others: readonly string[];
  /** Runs were added, or ended otherwise than was thought. */
  readonly changed: () => void;
  readonly notify: (notice: Omit<Notice, 'id'>) => void;
}

/** Writes what the database knows of a run into its folder. `ended`: where the database does not know it yet. */
export async function keepCard(store: Store, id: string, ended: RunCard['ended'] = null): Promise<void> {
  const row = store.get(id);
  const { path, name, notes, tags, sweep, createdAt } = row;
  const recipe = store.recipe(id);
  await writeCard(path, { version: 1, id, name, notes, tags, sweep, createdAt, recipe, ended: ended ?? endIn(row) });
}

function endIn({ state, failure, finishedAt, createdAt }: RunRow): RunCard['ended'] {
  const ended = endStates.find((known) => known === state);
  return ended ? { state: ended, failure, at: finishedAt ?? createdAt } : null;
}

/** Lists a run as its folder tells it, under the id of its card; a copy of a run that is listed gets an id of its own. */
export async function adopt(store: Store, found: FoundRun): Promise<RunRow> {
  const { card, path, recipe } = found;
  const twin = card && store.find(card.id);
  if (twin && !existsSync(twin.path)) return store.change(twin.id, { path });
  const id = card && !twin ? card.id : randomUUID();
  const { name, notes, tags, sweep } = card ?? { name: basename(path), notes: '', tags: [], sweep: null };
  const head = { id, name, notes, tags, sweep, path, createdAt: found.createdAt, ...endOf(found) };
  store.insert(rowOf(head, recipe, reportOf(found)), recipe);
  if (card?.id !== id) await keepCard(store, id);
  return store.get(id);
}

/** Puts a listed run into the state that its folder tells. */
export function settle(store: Store, id: string, found: FoundRun): RunRow {
  store.transaction(() => {
    store.dequeue(id);
    store.change(id, rowOf({ ...store.get(id), ...endOf(found) }, found.recipe, reportOf(found)));
    store.putRecipe(id, found.recipe);
  });
  return store.get(id);
}

function endOf({ end }: FoundRun): Pick<RunRow, 'state' | 'failure' | 'finishedAt'> {
  if (end.state === 'finished') return { state: 'finished', failure: null, finishedAt: end.report.finishedAt };
  return { state: end.state, failure: end.failure, finishedAt: end.at };
}

function reportOf({ end }: FoundRun): Report | null {
  return end.state === 'finished' ? end.report : null;
}

/**
 * What was running is lost unless its folder tells otherwise. What was queued is paused, so that nothing computes
 * before somebody says so. Their ids.
 */
export async function recover(store: Store): Promise<string[]> {
  const running = store.runsIn('running');
  const queued = store.runsIn('queued');
  for (const { id, path } of running) {
    const found = await readRunFolder(path).catch(() => null);
    if (found?.end.state === 'finished') settle(store, id, found);
    else store.change(id, endSinceStart(found));
  }
  for (const { id } of queued) {
    store.dequeue(id);
    store.change(id, { state: 'paused' });
  }
  return [...running, ...queued].map(({ id }) => id);
}

/** The card forgets an earlier end when the run is resumed; the engine's events do not. */
function endSinceStart(found: FoundRun | null): Pick<RunRow, 'state' | 'failure' | 'finishedAt'> {
  const { state, failure, at } = found?.card?.ended ?? lost;
  return { state, failure, finishedAt: at };
}

/** Lists folders of runs that the history does not know, and finds reports that it does not know of. */
export async function scan(store: Store, { runsFolder, others, changed, notify }: Scan): Promise<void> {
  const known = new Set(store.folders().map(({ path }) => path));
  const unknown = [...(await foldersIn(runsFolder)), ...others].filter((path) => !known.has(path));
  const skipped: string[] = [];
  let news = await finishLate(store);
  for (const path of unknown) {
    try {
      if (!(await adoptFolder(store, path))) continue;
    } catch (error) {
      if (!(error instanceof TamisError) || error.code.startsWith('history.')) throw error;
      skipped.push(path);
    }
    if (++news % BATCH === 0) changed();
  }
  if (news > 0) changed();
  const [first] = skipped;
  if (first !== undefined)
    notify({ kind: 'warning', code: 'history.folders-skipped', params: { count: skipped.length, path: first } });
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  // Hidden ones are being removed or moved.
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => join(folder, name));
}

/** Whether there was a run to list. */
async function adoptFolder(store: Store, path: string): Promise<boolean> {
  const found = await readRunFolder(path);
  if (!found || store.at(path)) return false;
  await adopt(store, found);
  return true;
}

/** Runs whose end the database missed, because it took no more or they were resumed from the command line: how many. */
async function finishLate(store: Store): Promise<number> {
  let settled = 0;
  for (const { id, path, state } of store.folders()) {
    if (!endStates.some((end) => end === state) || !existsSync(join(path, 'report.json'))) continue;
    const found = await readRunFolder(path).catch(() => null);
    if (found?.end.state !== 'finished' || store.find(id)?.state !== state) continue;
    settle(store, id, found);
    settled += 1;
  }
  return settled;
}
