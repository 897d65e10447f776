import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import writeFileAtomic from 'write-file-atomic';
import type { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';

/** Turns what the file system refused to write into a sentence's code; anything else is passed through. */
export function fileError(error: unknown, path: string): unknown {
  if (!isSystemError(error)) return error;
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return new TamisError('file.no-space', { path });
  return new TamisError('file.not-writable', { path, reason: reasonOf(error) });
}

/** The same for what it refused to read. */
export function readError(error: unknown, path: string): unknown {
  return isSystemError(error) ? new TamisError('file.not-readable', { path, reason: reasonOf(error) }) : error;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}

/** `ENOENT: no such file or directory`, without the call and the path that Node puts behind it. */
function reasonOf(error: Error): string {
  return error.message.split(',')[0] ?? error.message;
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
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw readError(error, path);
  }
  return parseJson(path, text, schema);
}

export function parseJson<T>(path: string, text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TamisError('file.not-json', { path, reason: (error as Error).message });
  }
  return checked(path, value, schema);
}

/** What was read from a file, if it has the known shape; an error naming file and field if not. */
export function checked<T>(path: string, value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new TamisError('file.wrong-shape', {
    path,
    field: field === '' ? 'the whole file' : field,
    reason: issue?.message ?? '',
  });
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
