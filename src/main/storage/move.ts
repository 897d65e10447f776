import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';

import type { Progress } from '../../contract/bridge.ts';
import { freeBytes, mebibytes } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { fileError, isSystemError } from '../../disk/file-errors.ts';
import type { MoveRecord } from '../history/statements.ts';
import type { Store } from '../history/store.ts';
import { bytesOf, copyTree, flushNames, isWhole } from './tree.ts';

export interface Moving {
  /** The folder is there now, and so is what the history says: the setting follows. */
  readonly moved: (target: string) => Promise<void>;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Moves the folder of all runs into another folder, under the name `tamis-runs`. The database notes it before it begins:
 * whenever it is interrupted, `finishMove` goes back or forward, and the runs are whole in one of the two places.
 */
export async function moveRuns(store: Store, source: string, into: string, moving: Moving): Promise<string> {
  const target = join(into, 'tamis-runs');
  if (target === source) return target;
  assertMovable(store, source, target);
  const direct = { source, target, staged: source };
  store.putMove(direct);
  try {
    await mkdir(source, { recursive: true });
    const move = (await renamed(direct)) ? direct : await copied(store, direct, moving.onProgress);
    await settle(store, move, moving.moved);
  } catch (error) {
    await finishMove(store, moving.moved);
    throw error;
  }
  return target;
}

/** At the application's start, before runs are looked for: whatever a kill interrupted. */
export async function finishMove(store: Store, moved: Moving['moved']): Promise<void> {
  for (const move of store.moves()) {
    if (existsSync(move.target) && !existsSync(move.staged)) {
      await settle(store, move, moved);
      continue;
    }
    if (move.staged !== move.source) await rm(move.staged, { recursive: true, force: true });
    store.deleteMove(move.source);
  }
}

function assertMovable(store: Store, source: string, target: string): void {
  const [busy] = [...store.runsIn('running'), ...store.runsIn('queued')];
  if (busy) throw new TamisError('run.busy', { name: busy.name });
  if (isInside(target, source)) throw new TamisError('storage.inside', { path: target });
  if (existsSync(target)) throw new TamisError('storage.exists', { path: target });
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}

/** Whether the file system could do it at once. */
async function renamed({ source, target }: MoveRecord): Promise<boolean> {
  try {
    await rename(source, target);
  } catch (error) {
    if (isSystemError(error) && error.code === 'EXDEV') return false;
    throw fileError(error, target);
  }
  await flushNames(target);
  return true;
}

/** To another file system: a copy beside the target, renamed when it is whole and checked. */
async function copied(store: Store, direct: MoveRecord, onProgress: Moving['onProgress']): Promise<MoveRecord> {
  const { source, target } = direct;
  const move = { source, target, staged: join(dirname(target), `.tamis-moving-${randomUUID()}`) };
  const bytes = await bytesOf(source);
  const free = await freeBytes(dirname(target));
  if (free < bytes)
    throw new TamisError('storage.no-space', { path: target, needed: mebibytes(bytes), free: mebibytes(free) });
  store.putMove(move);
  const tell = progressOf(2 * bytes, onProgress);
  await copyTree(source, move.staged, tell);
  await rename(move.staged, target);
  await flushNames(target);
  return move;
}

/** The folder is at its target: everything follows, and the original goes once the copy has all that is in it. */
async function settle(store: Store, { source, target, staged }: MoveRecord, moved: Moving['moved']): Promise<void> {
  store.movePaths(source, target);
  await moved(target);
  if (staged !== source && (await isWhole(target, source).catch(() => false)))
    await rm(source, { recursive: true, force: true });
  store.deleteMove(source);
}

function progressOf(total: number, onProgress: Moving['onProgress']): (bytes: number) => void {
  const started = performance.now();
  let done = 0;
  return (bytes) => {
    done += bytes;
    const elapsed = (performance.now() - started) / 1000;
    onProgress({ done, total, remainingSeconds: done > 0 ? (elapsed * (total - done)) / done : null });
  };
}
