import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { makeFolder } from '../../disk/files.ts';
import { cacheFolder } from '../machine/cache.ts';
import { writeFolder } from './folder.ts';
import { denseFiles, openExport } from './unpack.ts';

/** The dense folder of a checkpoint or an export, as long as `use` works with it: an export is unpacked into the cache folder. */
export async function withDenseFolder<T>(
  path: string,
  signal: AbortSignal,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const opened = await openExport(path);
  if (opened === null) return await use(path);
  makeFolder(cacheFolder());
  const scratch = await mkdtemp(join(cacheFolder(), 'unpacked-'));
  try {
    const folder = join(scratch, 'model');
    await writeFolder(folder, denseFiles(opened), { signal, onProgress: () => undefined });
    return await use(folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
