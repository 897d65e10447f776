import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import writeFileAtomic from 'write-file-atomic';
import type { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { fileError, isMissing, readError } from '../../contract/file-errors.ts';
import { parseJson } from '../../contract/json.ts';

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

/** A JSON file of a known shape; null if there is none, an error naming file and field if it is damaged. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw readError(error, path);
  }
  return parseJson(path, text, schema);
}

/** SHA-256 of a file's bytes, hex; `onBytes` hears of each chunk. */
export async function hashFile(path: string, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20, signal })) {
      hash.update(chunk as Buffer);
      onBytes((chunk as Buffer).length);
    }
  } catch (error) {
    throw signal.aborted ? new TamisError('cancelled') : readError(error, path);
  }
  return hash.digest('hex');
}

export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function hashTokens(tokens: Int32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
    .digest('hex');
}
