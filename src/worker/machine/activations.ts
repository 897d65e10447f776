import fs from 'node:fs';

import { TamisError } from '../../contract/errors.ts';
import { fileError, readError } from '../../disk/file-errors.ts';

export interface ActivationShape {
  readonly sequences: number;
  readonly seqlen: number;
  readonly hidden: number;
}

/** Sequences of one run of a graph. */
export interface Batch {
  readonly first: number;
  readonly count: number;
  /** [count * seqlen, hidden]. */
  readonly x: Float32Array<ArrayBuffer>;
}

/**
 * float32 [sequences, seqlen, hidden] in a file, so that they never have to fit in memory. The next batch is read, and the last
 * results are written, while the caller works: what goes wrong then is thrown by the next call.
 */
export class Activations implements AsyncDisposable {
  readonly path: string;
  readonly shape: ActivationShape;
  readonly #fd: number;
  readonly #isScratch: boolean;
  /** A copy of what is being written. */
  #copy = new Float32Array(0);
  #written: Promise<void> = Promise.resolve();

  private constructor(path: string, shape: ActivationShape, fd: number, isScratch: boolean) {
    this.path = path;
    this.shape = shape;
    this.#fd = fd;
    this.#isScratch = isScratch;
  }

  /** Makes a file of zeros, which stays when this is disposed of; one that is there already is written over. */
  static create(path: string, shape: ActivationShape): Activations {
    return new Activations(path, shape, createFile(path, shape), false);
  }

  /** Makes a file of zeros, which is deleted when this is disposed of. */
  static scratch(path: string, shape: ActivationShape): Activations {
    return new Activations(path, shape, createFile(path, shape), true);
  }

  /** Opens a file that was written before; it is refused where its size is not that of `shape`. */
  static open(path: string, shape: ActivationShape): Activations {
    const activations = new Activations(path, shape, openToRead(path), false);
    if (fs.fstatSync(activations.#fd).size === bytesOf(shape)) return activations;
    const error = activations.#wrongSize();
    fs.closeSync(activations.#fd);
    throw error;
  }

  /**
   * Sequences in order, those from `start` up to `end`, `size` at a time, each batch read while the caller works on the one before; `x`
   * holds until the next.
   */
  async *batches(size: number, start = 0, end = this.shape.sequences): AsyncGenerator<Batch, void> {
    await this.#written;
    const largest = Math.min(size, end - start) * this.#sequence;
    const buffers = [0, 1].map(() => new Float32Array(largest)) as [Floats, Floats];
    const ahead = async (first: number): Promise<Batch> => {
      const count = Math.min(size, end - first);
      const x = buffers[((first - start) / size) % 2 === 0 ? 0 : 1].subarray(0, count * this.#sequence);
      await this.#transfer('read', first, x);
      return { first, count, x };
    };
    let next = held(ahead(start));
    try {
      for (let first = start + size; first < end; first += size) {
        const batch = await next;
        next = held(ahead(first));
        yield batch;
      }
      yield await next;
    } finally {
      // The file must not be closed under it.
      await next.catch(() => undefined);
      for (const { buffer } of buffers) buffer.transfer(0);
    }
  }

  /** `count` sequences from sequence `start` on: [count * seqlen, hidden]. */
  async read(start: number, count: number): Promise<Floats> {
    await this.#written;
    const x = new Float32Array(count * this.#sequence);
    await this.#transfer('read', start, x);
    return x;
  }

  /** Takes whole sequences, to be written from sequence `start` on; `x` may change when this returns. */
  async write(start: number, x: Float32Array): Promise<void> {
    await this.#written;
    if (this.#copy.length < x.length) this.#copy = new Float32Array(x.length);
    const copy = this.#copy.subarray(0, x.length);
    copy.set(x);
    this.#written = held(this.#transfer('write', start, copy));
  }

  /** Returns when all that was taken is written. */
  async settle(): Promise<void> {
    await this.#written;
  }

  /** Returns when it is on the disk. */
  async flush(): Promise<void> {
    await this.#written;
    try {
      fs.fsyncSync(this.#fd);
    } catch (error) {
      throw fileError(error, this.path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#written.catch(() => undefined);
    this.#copy.buffer.transfer(0);
    fs.closeSync(this.#fd);
    if (this.#isScratch) fs.rmSync(this.path, { force: true });
  }

  #wrongSize(): TamisError {
    const bytes = fs.fstatSync(this.#fd).size;
    return new TamisError('file.wrong-size', { path: this.path, bytes, expected: bytesOf(this.shape) });
  }

  get #sequence(): number {
    return this.shape.seqlen * this.shape.hidden;
  }

  /** All of `x`, in as many calls as the system needs for it. */
  async #transfer(name: 'read' | 'write', start: number, x: Floats): Promise<void> {
    const bytes = new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
    const at = start * this.#sequence * 4;
    try {
      for (let done = 0; done < bytes.length;) {
        const moved = await moveBytes(name, this.#fd, bytes.subarray(done), at + done);
        if (moved === 0) throw this.#wrongSize();
        done += moved;
      }
    } catch (error) {
      throw name === 'read' ? readError(error, this.path) : fileError(error, this.path);
    }
  }
}

type Floats = Float32Array<ArrayBuffer>;

/** One call of the system: bytes moved between a place in the file and `bytes`. */
function moveBytes(name: 'read' | 'write', fd: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, moved: number): void => (error ? reject(error) : resolve(moved));
    if (name === 'read') fs.read(fd, bytes, 0, bytes.length, position, done);
    else fs.write(fd, bytes, 0, bytes.length, position, done);
  });
}

/** A promise that may fail before anybody waits for it. */
function held<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function createFile(path: string, shape: ActivationShape): number {
  try {
    const fd = fs.openSync(path, 'w+');
    try {
      fs.ftruncateSync(fd, bytesOf(shape));
      return fd;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

function openToRead(path: string): number {
  try {
    return fs.openSync(path, 'r+');
  } catch (error) {
    throw readError(error, path);
  }
}

function bytesOf({ sequences, seqlen, hidden }: ActivationShape): number {
  return sequences * seqlen * hidden * 4;
}
