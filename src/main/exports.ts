import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import type { Progress } from '../contract/bridge.ts';
import { freeBytes } from '../contract/disk.ts';
import { TamisError } from '../contract/errors.ts';

/** What of a run's folder is the run's own bookkeeping and not part of the model that comes out. */
const bookkeeping = new Set(['state', 'events.jsonl', 'run.json']);

interface Part {
  /** From the run's folder. */
  readonly path: string;
  readonly bytes: number;
}

/** Bytes of the dense folder: the model's files, its recipe and its report. */
export async function denseBytes(run: string): Promise<number> {
  return total(await partsOf(run));
}

/**
 * Copies a finished run's model and report to `out`, which must not exist or be empty. The copy is made beside that name
 * and renamed when it is complete and on disk.
 */
export async function exportDense(
  run: string,
  out: string,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: Progress) => void },
): Promise<void> {
  const parts = await partsOf(run);
  const bytes = total(parts);
  await assertFree(out, bytes);
  const partial = `${out}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    const started = performance.now();
    let done = 0;
    for (const part of parts) {
      if (signal.aborted) throw new TamisError('cancelled.no-run');
      await copyPart(run, partial, part);
      done += part.bytes;
      const elapsed = (performance.now() - started) / 1000;
      onProgress({ done, total: bytes, remainingSeconds: (elapsed * (bytes - done)) / Math.max(1, done) });
    }
    await rm(out, { recursive: true, force: true });
    await rename(partial, out);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function copyPart(run: string, partial: string, { path, bytes }: Part): Promise<void> {
  const to = join(partial, path);
  await mkdir(dirname(to), { recursive: true });
  await copyFile(join(run, path), to, constants.COPYFILE_FICLONE);
  const file = await open(to, 'r+');
  try {
    await file.sync();
    if ((await file.stat()).size !== bytes) throw new TamisError('export.incomplete', { path: to });
  } finally {
    await file.close();
  }
}

async function partsOf(run: string): Promise<Part[]> {
  const entries = await readdir(run, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(run, join(entry.parentPath, entry.name)));
  const wanted = files.filter((path) => !bookkeeping.has(path.split(/[\\/]/)[0] ?? ''));
  return await Promise.all(wanted.sort().map(async (path) => ({ path, bytes: (await stat(join(run, path))).size })));
}

async function assertFree(out: string, bytes: number): Promise<void> {
  const there = await readdir(out).catch(() => []);
  if (there.length > 0) throw new TamisError('export.exists', { path: out });
  const free = await freeBytes(dirname(out));
  if (free < bytes)
    throw new TamisError('export.no-space', {
      path: dirname(out),
      needed: mebibytes(bytes),
      free: mebibytes(free),
    });
}

function total(parts: readonly Part[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
