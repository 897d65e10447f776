import { existsSync } from 'node:fs';
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { fileError, isMissing } from '../../disk/file-errors.ts';
import type { Store } from '../history/store.ts';

const PREFIX = '.tamis-removed-';

/** The name under which a folder is removed: never half a run that looks whole. */
function asideOf(id: string, path: string): string {
  return join(dirname(path), PREFIX + id);
}

/** Removes a run and its folder. */
export async function removeRun(store: Store, id: string): Promise<void> {
  const { path, state, name } = store.get(id);
  if (state === 'running') throw new TamisError('run.busy', { name });
  if (!(await isRunFolder(path))) {
    store.delete(id);
    return;
  }
  const aside = asideOf(id, path);
  try {
    await rename(path, aside);
    await empty(aside);
    store.delete(id);
    await rm(aside, { recursive: true, force: true });
  } catch (error) {
    throw fileError(error, path);
  }
}

/**
 * The row goes after this, so that a full disk is no reason not to free it, and the empty folder last of all: a start
 * after a kill finds by it what is left to do.
 */
async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

/** The folders in a run's folder. */
const runFolders = new Set(['state', 'quantization']);

/** Whether the run's files are there. A folder that holds more than a run is refused. */
async function isRunFolder(path: string): Promise<boolean> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw fileError(error, path);
  });
  if (!stats?.isDirectory()) return false;
  if (!existsSync(join(path, 'recipe.json')) && !existsSync(join(path, 'run.json'))) return false;
  const entries = await readdir(path, { withFileTypes: true });
  const foreign = entries.find((entry) => entry.isDirectory() && !runFolders.has(entry.name));
  if (foreign) throw new TamisError('run.foreign-folder', { path, name: foreign.name });
  return true;
}

/** Goes on with removals that a kill interrupted, in the runs folder and beside runs that lie elsewhere. */
export async function finishRemovals(store: Store, runsFolder: string): Promise<void> {
  const parents = new Set([runsFolder, ...store.folders().map(({ path }) => dirname(path))]);
  for (const parent of parents) {
    const names = await readdir(parent).catch(() => []);
    for (const name of names.filter((one) => one.startsWith(PREFIX))) {
      const run = store.find(name.slice(PREFIX.length));
      // Not of this history: somebody else's removal.
      if (!run && parent !== runsFolder) continue;
      await empty(join(parent, name));
      if (run && !existsSync(run.path)) store.delete(run.id);
      await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}
