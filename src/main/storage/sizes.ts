import { existsSync } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { storageKinds, type Storage, type StorageKind } from '../../contract/files.ts';
import { bytesOf } from './tree.ts';

/** The database, what belongs to it, and the settings: other things in the same folder have lines of their own or are the browser's. */
const databaseFiles = /^(history\..*sqlite(-wal|-shm)?|settings\..*json)$/;

/** What lies in the application's folders, and the room that is left beside it. */
export async function listStorage(folders: Readonly<Record<StorageKind, string>>): Promise<Storage[]> {
  return await Promise.all(
    storageKinds.map(async (kind): Promise<Storage> => {
      const path = folders[kind];
      const bytes = kind === 'database' ? await databaseBytes(path) : await bytesOf(path);
      return { kind, path, bytes, freeBytes: await freeBytes(path) };
    }),
  );
}

async function databaseBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = names.filter((name) => databaseFiles.test(name)).map((name) => bytesOf(join(folder, name)));
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
}

/** Left to this user on the file system that the folder is, or would be, on. */
export async function freeBytes(folder: string): Promise<number> {
  if (!existsSync(folder) && dirname(folder) !== folder) return await freeBytes(dirname(folder));
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Bytes of these runs' folders. */
export async function sizeOf(paths: readonly string[]): Promise<number> {
  let sum = 0;
  for (const path of paths) sum += await bytesOf(path);
  return sum;
}
