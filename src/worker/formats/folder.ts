import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Progress } from '../../contract/bridge.ts';
import { freeBytes } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { fileError } from '../../disk/file-errors.ts';
import type { ExportFile } from './format.ts';

export interface FolderTask {
  readonly signal: AbortSignal;
  /** Told how many of all bytes are written. */
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Writes files into a new folder `out`, which must not exist or be empty. They are made in `OUT.partial`, which is renamed when all
 * of them are on the disk; whatever ends it before that leaves nothing behind. Gives the bytes that compressed layers take.
 *
 * Errors: export.exists, export.no-space, file.*, cancelled.no-run.
 */
export async function writeFolder(
  out: string,
  files: readonly ExportFile[],
  { signal, onProgress }: FolderTask,
): Promise<number> {
  await assertFree(out, totalBytes(files));
  const partial = `${out}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    const onBytes = counter(totalBytes(files), onProgress);
    let layerBytes = 0;
    for (const file of files) {
      if (signal.aborted) throw new TamisError('cancelled.no-run');
      const to = join(partial, file.path);
      await mkdir(dirname(to), { recursive: true });
      layerBytes += (await file.write(to, { signal, onBytes })).layerBytes;
    }
    await rm(out, { recursive: true, force: true });
    await rename(partial, out);
    return layerBytes;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw signal.aborted ? new TamisError('cancelled.no-run') : fileError(error, partial);
  }
}

export function totalBytes(files: readonly ExportFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function assertFree(out: string, bytes: number): Promise<void> {
  if (!(await isFreePlace(out))) throw new TamisError('export.exists', { path: out });
  const free = await freeBytes(dirname(out));
  if (free < bytes)
    throw new TamisError('export.no-space', { path: dirname(out), needed: mebibytes(bytes), free: mebibytes(free) });
}

async function isFreePlace(out: string): Promise<boolean> {
  const there = await stat(out).catch(() => null);
  return there === null || (there.isDirectory() && (await readdir(out)).length === 0);
}

/** Counts bytes; the time left is from the mean rate so far. */
function counter(total: number, tell: (progress: Progress) => void): (bytes: number) => void {
  const started = performance.now();
  let done = 0;
  return (bytes) => {
    done += bytes;
    const elapsed = (performance.now() - started) / 1000;
    tell({ done, total, remainingSeconds: (elapsed * Math.max(0, total - done)) / Math.max(1, done) });
  };
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
