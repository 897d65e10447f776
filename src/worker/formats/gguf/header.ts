import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

import { TamisError } from '../../../contract/errors.ts';
import { readError } from '../../../disk/file-errors.ts';
import type { GgufValue } from '../../families/gguf.ts';

/** ggml's number of a tensor's type. */
export const ggmlTypes = { F32: 0, F16: 1, q4_0: 2, q4_1: 3, q8_0: 8, BF16: 30 } as const;
export type GgmlType = keyof typeof ggmlTypes;

export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** As in the checkpoint: rows first. */
  readonly shape: readonly number[];
  /** From the beginning of the data. */
  readonly offset: number;
}

/** The data and every tensor in it begin at a multiple of so many bytes. */
export const ALIGNMENT = 32;
const MAGIC = 'GGUF';
const VERSION = 3;
const valueTypes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;

export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** The file up to its data. */
export function ggufHeader(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Uint8Array {
  const entries = Object.entries(metadata);
  const parts = [Buffer.from(MAGIC), u32(VERSION), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries) parts.push(text(key), ...valueBytes(value));
  for (const { name, type, shape, offset } of tensors)
    parts.push(text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(ggmlTypes[type]), u64(offset));
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(aligned(header.length) - header.length)]);
}

function valueBytes(value: GgufValue): Buffer[] {
  if ('u32' in value) return [u32(valueTypes.u32), u32(value.u32)];
  if ('f32' in value) return [u32(valueTypes.f32), f32(value.f32)];
  if ('bool' in value) return [u32(valueTypes.bool), Buffer.from([value.bool ? 1 : 0])];
  if ('string' in value) return [u32(valueTypes.string), text(value.string)];
  if ('strings' in value) return [...arrayHead(valueTypes.string, value.strings.length), ...value.strings.map(text)];
  if ('f32s' in value)
    return [...arrayHead(valueTypes.f32, value.f32s.length), Buffer.from(new Float32Array(value.f32s).buffer)];
  return [...arrayHead(valueTypes.i32, value.i32s.length), Buffer.from(new Int32Array(value.i32s).buffer)];
}

function arrayHead(type: number, length: number): Buffer[] {
  return [u32(valueTypes.array), u32(type), u64(length)];
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

/** The tensors of a file that `ggufHeader` began, and where its data begins. Error gguf.malformed {path, offset}. */
export function readGgufHeader(path: string): { tensors: GgufTensor[]; dataStart: number } {
  const file = new Cursor(path);
  try {
    if (file.bytes(4).toString('latin1') !== MAGIC || file.u32() !== VERSION) throw file.malformed();
    const [tensorCount, valueCount] = [file.u64(), file.u64()];
    for (let i = 0; i < valueCount; i++) {
      file.text();
      skipValue(file, file.u32());
    }
    const tensors = Array.from({ length: file.count(tensorCount) }, () => readTensor(file));
    return { tensors, dataStart: aligned(file.position) };
  } finally {
    file.close();
  }
}

function readTensor(file: Cursor): GgufTensor {
  const name = file.text();
  const shape = Array.from({ length: file.count(file.u32()) }, () => file.u64()).reverse();
  const number = file.u32();
  const type = (Object.keys(ggmlTypes) as GgmlType[]).find((key) => ggmlTypes[key] === number);
  if (type === undefined) throw file.malformed();
  return { name, type, shape, offset: file.u64() };
}

function skipValue(file: Cursor, type: number): void {
  switch (type) {
    case valueTypes.u32:
    case valueTypes.i32:
    case valueTypes.f32:
      file.bytes(4);
      return;
    case valueTypes.bool:
      file.bytes(1);
      return;
    case valueTypes.string:
      file.text();
      return;
    case valueTypes.array: {
      const element = file.u32();
      const length = file.count(file.u64());
      for (let i = 0; i < length; i++) skipValue(file, element);
      return;
    }
    default:
      throw file.malformed();
  }
}

const CHUNK_BYTES = 1 << 20;

/** Reads a file from its beginning, a chunk at a time; believes no length that passes its end. */
class Cursor {
  readonly #path: string;
  readonly #fd: number;
  readonly #size: number;
  #chunk = Buffer.alloc(0);
  /** Where the chunk begins in the file. */
  #start = 0;
  position = 0;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'r');
      this.#size = fstatSync(this.#fd).size;
    } catch (error) {
      throw readError(error, path);
    }
  }

  bytes(count: number): Buffer {
    const end = this.position + count;
    if (end > this.#size) throw this.malformed();
    if (end > this.#start + this.#chunk.length) this.#fill(count);
    const bytes = this.#chunk.subarray(this.position - this.#start, end - this.#start);
    this.position = end;
    return bytes;
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  u64(): number {
    return Number(this.bytes(8).readBigUInt64LE());
  }

  text(): string {
    return this.bytes(this.u64()).toString();
  }

  /** A number of things of a byte or more each. */
  count(value: number): number {
    if (value > this.#size - this.position) throw this.malformed();
    return value;
  }

  malformed(): TamisError {
    return new TamisError('gguf.malformed', { path: this.#path, offset: this.position });
  }

  close(): void {
    closeSync(this.#fd);
  }

  #fill(count: number): void {
    this.#chunk = Buffer.alloc(Math.min(Math.max(count, CHUNK_BYTES), this.#size - this.position));
    this.#start = this.position;
    for (let done = 0; done < this.#chunk.length;) {
      const read = readSync(this.#fd, this.#chunk, done, this.#chunk.length - done, this.#start + done);
      if (read === 0) throw this.malformed();
      done += read;
    }
  }
}
