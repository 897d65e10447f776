import { createHash, type Hash } from 'node:crypto';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { z } from 'zod';

import { writeText } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { fileError, isMissing, readError } from '../../disk/file-errors.ts';
import { readJson } from '../../disk/files.ts';
import type { HubFile, Sum } from './repository.ts';

/** What a partial file is the beginning of. */
const noteSchema = z.strictObject({ sum: z.string(), bytes: z.int(), etag: z.string().nullable() });

export const partialName = (path: string): string => `${path}.partial`;
export const noteName = (path: string): string => `${path}.partial.json`;

/** Bytes at once. */
const CHUNK = 4 << 20;

/** The hash that a file of so many bytes is known by: git puts a header before a blob. */
function startHash({ kind }: Sum, bytes: number): Hash {
  return kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
}

/** How many bytes of a file an earlier pull has left in `folder`; 0 where they are of another content. */
export async function partialBytes(folder: string, file: HubFile): Promise<number> {
  const note = await readNote(folder, file);
  const bytes = await sizeOf(join(folder, partialName(file.path)));
  return note === null || bytes === null || bytes > file.bytes ? 0 : bytes;
}

/** A file's size; null if it is not there. */
export async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return null;
    throw readError(error, path);
  }
}

/** Whether the file in `folder` is the hub's to the bit; `onBytes` hears what is read. */
export async function isWhole(
  folder: string,
  file: HubFile,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const path = join(folder, file.path);
  if ((await sizeOf(path)) !== file.bytes) return false;
  const hash = startHash(file.sum, file.bytes);
  const handle = await open(path, 'r');
  try {
    await hashFrom(handle, hash, { onBytes, signal });
  } catch (error) {
    throw readError(error, path);
  } finally {
    await handle.close();
  }
  return hash.digest('hex') === file.sum.hex;
}

async function readNote(folder: string, file: HubFile): Promise<z.output<typeof noteSchema> | null> {
  // A damaged note is none.
  const note = await readJson(join(folder, noteName(file.path)), noteSchema).catch(() => null);
  return note?.sum === file.sum.hex && note.bytes === file.bytes ? note : null;
}

async function hashFrom(
  handle: FileHandle,
  hash: Hash,
  { onBytes, signal }: { onBytes: (bytes: number) => void; signal: AbortSignal },
): Promise<number> {
  const buffer = Buffer.alloc(CHUNK);
  let at = 0;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, at);
    if (bytesRead === 0) return at;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
    onBytes(bytesRead);
  }
}

/** The beginning of a file, beside its place as NAME.partial, with what it is the beginning of in NAME.partial.json. */
export class Partial {
  readonly #folder: string;
  readonly #file: HubFile;
  readonly #handle: FileHandle;
  #hash: Hash;
  /** Bytes that are there. */
  at = 0;
  /** The ETag of the answer that they came from; null = it had none, or only a weak one. */
  etag: string | null = null;

  private constructor(folder: string, file: HubFile, handle: FileHandle) {
    this.#folder = folder;
    this.#file = file;
    this.#handle = handle;
    this.#hash = startHash(file.sum, file.bytes);
  }

  /** Opens what an earlier pull has left of this very content, else an empty one. */
  static async open(folder: string, file: HubFile, signal: AbortSignal): Promise<Partial> {
    const path = join(folder, partialName(file.path));
    const kept = await partialBytes(folder, file);
    try {
      const partial = new Partial(folder, file, await open(path, kept > 0 ? 'r+' : 'w+'));
      if (kept > 0) {
        partial.at = await hashFrom(partial.#handle, partial.#hash, { onBytes: () => undefined, signal });
        partial.etag = (await readNote(folder, file))?.etag ?? null;
      }
      return partial;
    } catch (error) {
      throw fileError(error, path);
    }
  }

  /** From now on bytes come from an answer with this ETag. */
  async note(etag: string | null): Promise<void> {
    this.etag = etag;
    const { sum, bytes, path } = this.#file;
    await writeText(join(this.#folder, noteName(path)), JSON.stringify({ sum: sum.hex, bytes, etag }));
  }

  async write(chunk: Uint8Array): Promise<void> {
    const { path, bytes } = this.#file;
    if (this.at + chunk.length > bytes)
      throw new TamisError('hub.length', { path, bytes: this.at + chunk.length, expected: bytes });
    try {
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await this.#handle.write(chunk, done, chunk.length - done, this.at + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw fileError(error, join(this.#folder, partialName(path)));
    }
    this.#hash.update(chunk);
    this.at += chunk.length;
  }

  /** Begins at the first byte again. */
  async empty(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = startHash(this.#file.sum, this.#file.bytes);
    this.at = 0;
    this.etag = null;
  }

  /** Whether all its bytes are there and come to the sum. */
  isRight(): boolean {
    return this.at === this.#file.bytes && this.#hash.copy().digest('hex') === this.#file.sum.hex;
  }

  /** Gives it its name, once it is on the disk. */
  async finish(): Promise<void> {
    const path = join(this.#folder, this.#file.path);
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(partialName(path), path);
      await syncFolder(dirname(path));
      await rm(noteName(path), { force: true });
    } catch (error) {
      throw fileError(error, path);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async remove(): Promise<void> {
    await this.#handle.close();
    await removePartial(this.#folder, this.#file.path);
  }
}

export async function removePartial(folder: string, path: string): Promise<void> {
  for (const name of [partialName(path), noteName(path)]) await rm(join(folder, name), { force: true });
}

/** The rename itself; Windows has no such thing. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  await handle.sync();
  await handle.close();
}
