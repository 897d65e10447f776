import { existsSync, mkdirSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

import writeFileAtomic from 'write-file-atomic';
import type { z } from 'zod';

import { fileError, isMissing, readError } from './file-errors.ts';
import { parseJson } from './json.ts';

// Files and folders as main and engine both treat them. For processes with Node alone.

/** A file's text; null if there is none. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw readError(error, path);
  }
}

/** A JSON file of a known shape; null if there is none, an error naming file and field if it is damaged. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const text = await readText(path);
  return text === null ? null : parseJson(path, text, schema);
}

/** Writes a file beside its name, flushes it and renames it. */
export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFileAtomic(path, text, { fsync: true });
  } catch (error) {
    throw fileError(error, path);
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeText(path, `${JSON.stringify(value, null, 1)}\n`);
}

/** Makes a folder and those above it. Node's own `recursive` never ends where the system finds no place for a folder, as in /proc. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!existsSync(path)) throw fileError(error, path);
  }
}

/** Left to this user on the file system that the folder is, or would be, on. */
export async function freeBytes(folder: string): Promise<number> {
  if (!existsSync(folder) && dirname(folder) !== folder) return await freeBytes(dirname(folder));
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Bytes as the MiB of a sentence, whole. */
export function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
