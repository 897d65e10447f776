import { constants } from 'node:fs';
import { copyFile, open, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { fileError } from '../../disk/file-errors.ts';
import { companions } from '../model/companions.ts';
import type { ExportFile, Writing } from './format.ts';

/** A file with this text. */
export function textFile(path: string, text: string): ExportFile {
  const content = Buffer.from(text);
  return bytesFile(path, content);
}

export function jsonFile(path: string, value: unknown): ExportFile {
  return textFile(path, `${JSON.stringify(value, null, 2)}\n`);
}

export function bytesFile(path: string, content: Uint8Array): ExportFile {
  return {
    path,
    bytes: content.length,
    async write(to, { onBytes }) {
      await durable(to, () => writeFile(to, content));
      onBytes(content.length);
      return { layerBytes: 0 };
    },
  };
}

/** A copy of a file of a folder, which must keep its size meanwhile. */
export async function copiedFile(
  folder: string,
  path: string,
  layerBytes: (bytes: number) => number = () => 0,
): Promise<ExportFile> {
  const from = join(folder, path);
  const bytes = (await stat(from)).size;
  return {
    path,
    bytes,
    async write(to, writing) {
      await copyWhole(from, to, writing);
      if ((await stat(to)).size !== bytes) throw new TamisError('export.incomplete', { path: to });
      return { layerBytes: layerBytes(bytes) };
    },
  };
}

/** The model's files that are not weights, but for config.json: tokenizer, generation settings, licence. */
export async function companionFiles(folder: string): Promise<ExportFile[]> {
  const names = (await readdir(folder)).filter((name) => companions.test(name) && name !== 'config.json');
  return await Promise.all(names.sort().map((name) => copiedFile(folder, name)));
}

async function copyWhole(from: string, to: string, { onBytes }: Writing): Promise<void> {
  await durable(to, () => copyFile(from, to, constants.COPYFILE_FICLONE));
  onBytes((await stat(to)).size);
}

/** Has `write` make a file, and returns when it is on the disk. */
async function durable(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
    const file = await open(path, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}
