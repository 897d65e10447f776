import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { freeBytes } from '../../disk/files.ts';
import { storageKinds, type Storage, type StorageKind } from '../../contract/storage.ts';
import { bytesOf } from './tree.ts';

/** The database, what belongs to it, and the settings: other things in the same folder have lines of their own or are the browser's. */
const databaseFiles = /^(history\..*sqlite(-wal|-shm)?|settings\..*json|downloads\.json|hub-token\.json)$/;

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

/** Bytes of these runs' folders. */
export async function sizeOf(paths: readonly string[]): Promise<number> {
  let sum = 0;
  for (const path of paths) sum += await bytesOf(path);
  return sum;
}
