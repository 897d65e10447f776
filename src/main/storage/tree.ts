import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, lstat, mkdir, open, opendir, readlink, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { fileError, isMissing } from '../../disk/file-errors.ts';

interface Entry {
  readonly path: string;
  readonly kind: 'folder' | 'file' | 'link';
  readonly bytes: number;
}

/** Everything in a folder, folders before what is in them; what is removed meanwhile is left out. */
export async function* entriesIn(folder: string): AsyncGenerator<Entry> {
  for await (const { name } of await opendir(folder)) {
    const path = join(folder, name);
    const stats = await lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (!stats) continue;
    const kind = stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'file';
    yield { path, kind, bytes: kind === 'file' ? stats.size : 0 };
    if (kind === 'folder') yield* entriesIn(path);
  }
}

/** Bytes of the files in a folder, or of the file; 0 where there is nothing. */
export async function bytesOf(path: string): Promise<number> {
  try {
    const stats = await lstat(path);
    if (!stats.isDirectory()) return stats.size;
    let sum = 0;
    for await (const { bytes } of entriesIn(path)) sum += bytes;
    return sum;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** Copies a folder, flushes every file and reads it again. `onBytes` hears of what is copied, and again of what is checked. */
export async function copyTree(from: string, to: string, onBytes: (bytes: number) => void): Promise<void> {
  try {
    await mkdir(to, { recursive: true });
    for await (const { path, kind, bytes } of entriesIn(from)) {
      const copy = join(to, relative(from, path));
      if (kind === 'folder') await mkdir(copy);
      else if (kind === 'link') await symlink(await readlink(path), copy);
      else await copyAndCheck(path, copy, () => onBytes(bytes));
    }
    await flush(to);
  } catch (error) {
    throw fileError(error, to);
  }
}

async function copyAndCheck(from: string, to: string, onDone: () => void): Promise<void> {
  await copyFile(from, to);
  await flush(to);
  onDone();
  if ((await hash(from)) !== (await hash(to))) throw new TamisError('storage.copy-differs', { path: to });
  onDone();
}

async function flush(path: string): Promise<void> {
  // Windows flushes no folders, and files only if they are open for writing.
  const isFolder = (await lstat(path)).isDirectory();
  if (isFolder && process.platform === 'win32') return;
  const handle = await open(path, isFolder ? 'r' : 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function hash(path: string): Promise<string> {
  const sum = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) sum.update(chunk as Buffer);
  return sum.digest('hex');
}

/** Whether all files in one folder lie in the other with the same sizes. */
export async function isWhole(copy: string, original: string): Promise<boolean> {
  for await (const { path, kind, bytes } of entriesIn(original)) {
    if (kind !== 'file') continue;
    const there = await lstat(join(copy, relative(original, path))).catch(() => null);
    if (there?.size !== bytes) return false;
  }
  return true;
}

/** Flushes the names in the folder that holds this one: what was renamed there stays renamed. */
export async function flushNames(path: string): Promise<void> {
  await flush(dirname(path));
}
