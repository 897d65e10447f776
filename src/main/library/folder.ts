import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing, readError } from '../../disk/file-errors.ts';

/**
 * What a folder's files look like from outside, links followed: as long as it stays the same, what was read of them
 * holds. Null if the folder is not there.
 */
export async function fingerprintOf(folder: string): Promise<string | null> {
  try {
    const names = (await readdir(folder)).sort();
    const files = await Promise.all(names.map((name) => lookAt(folder, name)));
    return createHash('sha256').update(JSON.stringify(files)).digest('hex');
  } catch (error) {
    if (isMissing(error)) return null;
    throw readError(error, folder);
  }
}

async function lookAt(folder: string, name: string): Promise<[string, number, number]> {
  try {
    const { size, mtimeMs } = await stat(join(folder, name));
    return [name, size, mtimeMs];
  } catch (error) {
    // A link to nowhere, or a file that was removed meanwhile.
    if (isMissing(error)) return [name, -1, 0];
    throw error;
  }
}

/** The folder itself if it looks like a checkpoint or holds none, else the checkpoints one level down. */
export async function modelFolders(folder: string): Promise<string[]> {
  if (looksLikeModel(folder)) return [folder];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const inside = entries.map(({ name }) => join(folder, name)).filter(looksLikeModel);
  return inside.length > 0 ? inside.sort() : [folder];
}

const modelFiles = [
  'config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

function looksLikeModel(folder: string): boolean {
  return modelFiles.some((name) => existsSync(join(folder, name)));
}
