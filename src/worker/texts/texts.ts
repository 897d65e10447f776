import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { openParquet } from './parquet.ts';
import type { TextFile } from './text-file.ts';

/** Documents of all files of a corpus, in order; reads them one at a time, so that memory holds one. */
export interface Texts {
  readonly files: readonly TextFile[];
  readonly documents: number;
  read(index: number): Promise<string>;
}

/**
 * A text is tokenized in one piece. Its ids take 4 bytes of memory for each of its own; about 66 where the library gets it whole
 * (`WholeTokenizer`).
 */
export const maxDocumentBytes = 128 * 2 ** 20;

/**
 * Opens a corpus: a .txt file is one document, a .jsonl file one a line (field `text`), a .parquet file one a row (column `text`).
 * A folder stands for its own text files sorted by name (by code unit), other files in it left out; its subfolders are not searched,
 * because they are often the splits of a dataset. Every line of a .jsonl is checked here, before the first document is read.
 * @throws texts.* naming the file and the line or row
 */
export async function openTexts(paths: readonly string[]): Promise<Texts> {
  const files: TextFile[] = [];
  for (const path of await textFilePaths(paths)) files.push(await openTextFile(path));
  return {
    files,
    documents: files.reduce((sum, file) => sum + file.documents, 0),
    read: (index) => readFrom(files, index),
  };
}

/** The text files that a list of files and folders stands for, in the order their documents are read. */
export async function textFilePaths(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const info = await readable(path, () => stat(path));
    if (!info.isDirectory()) files.push(path);
    else files.push(...(await textFilesIn(path)));
  }
  return files;
}

async function textFilesIn(folder: string): Promise<string[]> {
  const entries = await readable(folder, () => readdir(folder, { withFileTypes: true }));
  const names = entries
    .filter((entry) => !entry.isDirectory() && extensionOf(entry.name) in openers)
    .map((entry) => entry.name);
  if (names.length === 0) throw new TamisError('texts.none-in-folder', { path: folder });
  return names.sort().map((name) => join(folder, name));
}

const openers: Readonly<Record<string, (path: string) => Promise<TextFile>>> = {
  '.txt': openPlain,
  '.jsonl': openJsonLines,
  '.parquet': openParquet,
};

async function openTextFile(path: string): Promise<TextFile> {
  const opener = openers[extensionOf(path)];
  if (opener === undefined) throw new TamisError('texts.extension', { path });
  const file = await readable(path, () => opener(path));
  if (file.documents === 0) throw new TamisError('texts.empty-file', { path });
  return { ...file, read: (index) => readable(path, () => file.read(index)) };
}

async function readFrom(files: readonly TextFile[], index: number): Promise<string> {
  let within = index;
  for (const file of files) {
    if (within < file.documents) return await file.read(within);
    within -= file.documents;
  }
  throw new RangeError(`document ${index} of a corpus that ends before it`);
}

async function openPlain(path: string): Promise<TextFile> {
  const { size } = await stat(path);
  if (size > maxDocumentBytes) throw new TamisError('texts.too-large', { path, megabytes: maxDocumentBytes / 2 ** 20 });
  return { path, documents: size === 0 ? 0 : 1, read: async () => decode(await readFile(path), path, 1) };
}

async function openJsonLines(path: string): Promise<TextFile> {
  const starts: number[] = [];
  const lengths: number[] = [];
  const numbers: number[] = [];
  for await (const { bytes, start, number } of linesOf(path)) {
    if (isBlank(bytes)) continue;
    textOfLine(bytes, path, number);
    starts.push(start);
    lengths.push(bytes.length);
    numbers.push(number);
  }
  const read = async (index: number): Promise<string> => {
    const [start, length, number] = [starts[index], lengths[index], numbers[index]];
    if (start === undefined || length === undefined || number === undefined)
      throw new RangeError(`line ${index} of ${path}`);
    return textOfLine(await readSlice(path, start, length), path, number);
  };
  return { path, documents: starts.length, read };
}

function textOfLine(bytes: Buffer, path: string, line: number): string {
  let value: unknown;
  try {
    value = JSON.parse(decode(bytes, path, line));
  } catch (error) {
    if (error instanceof SyntaxError) throw new TamisError('texts.not-json', { path, line });
    throw error;
  }
  const text = typeof value === 'object' && value !== null && 'text' in value ? value.text : undefined;
  if (typeof text !== 'string') throw new TamisError('texts.no-text-field', { path, line });
  return text;
}

interface Line {
  readonly bytes: Buffer;
  /** Offset in the file, bytes. */
  readonly start: number;
  /** From 1. */
  readonly number: number;
}

/** The lines of a file, without their newline, held one at a time. */
async function* linesOf(path: string): AsyncGenerator<Line> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let start = 0;
  let number = 1;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const bytes = Buffer.concat([...pending, chunk.subarray(from, end)]);
      yield { bytes, start, number };
      start += bytes.length + 1;
      number += 1;
      from = end + 1;
      pending = [];
      pendingBytes = 0;
    }
    pending.push(chunk.subarray(from));
    pendingBytes += chunk.length - from;
    if (pendingBytes > maxDocumentBytes)
      throw new TamisError('texts.too-large', { path, megabytes: maxDocumentBytes / 2 ** 20 });
  }
  if (pendingBytes > 0) yield { bytes: Buffer.concat(pending), start, number };
}

const newline = 0x0a;

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

async function readSlice(path: string, start: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** UTF-8 without a byte order mark; `line` is the number of the first line of `bytes` in its file. */
function decode(bytes: Buffer, path: string, line: number): string {
  if (!isUtf8(bytes)) throw new TamisError('texts.not-utf8', { path, line: line + linesBeforeBadByte(bytes) });
  return new TextDecoder().decode(bytes);
}

function linesBeforeBadByte(bytes: Buffer): number {
  // Bytes that are not UTF-8 come back from a lenient decoder as other bytes.
  const replaced = Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  const bad = bytes.findIndex((byte, at) => byte !== replaced[at]);
  return bytes.subarray(0, bad < 0 ? bytes.length : bad).filter((byte) => byte === newline).length;
}

function extensionOf(path: string): string {
  return extname(path).toLowerCase();
}

/** Runs a file operation and turns the system's errors into sentences. */
async function readable<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error instanceof TamisError) throw error;
    if (error.code === 'ENOENT') throw new TamisError('texts.not-found', { path });
    throw new TamisError('texts.unreadable', { path, reason: String(error.code) });
  }
}
