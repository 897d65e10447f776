import { join } from 'node:path';

import envPaths from 'env-paths';
import type { z } from 'zod';

import { makeFolder, readJson, writeJson } from '../../disk/files.ts';
import { hashText } from './files.ts';

/** Where measurements of a model that a second run can use again are kept; TAMIS_CACHE names another folder. */
export function cacheFolder(): string {
  return process.env['TAMIS_CACHE'] ?? envPaths('tamis', { suffix: '' }).cache;
}

/**
 * A measurement kept under everything it depends on: computed once, then read. A file that cannot be read is measured again.
 * @param key all the value depends on, as plain data
 */
export async function remembered<T>(
  kind: string,
  key: object,
  schema: z.ZodType<T>,
  compute: () => Promise<T>,
): Promise<{ value: T; kept: boolean }> {
  const folder = join(cacheFolder(), kind);
  const path = join(folder, `${hashText(JSON.stringify(key))}.json`);
  const kept = await readJson(path, schema).catch(() => null);
  if (kept !== null) return { value: kept, kept: true };
  const value = await compute();
  makeFolder(folder);
  await writeJson(path, value);
  return { value, kept: false };
}
