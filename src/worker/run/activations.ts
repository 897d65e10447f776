import fs from 'node:fs';

import { TamisError } from '../../contract/errors.ts';

export interface ActivationShape {
  readonly sequences: number;
  readonly seqlen: number;
  readonly hidden: number;
}

/** float32 [sequences, seqlen, hidden] in a file, so that they never have to fit in memory. */
export class Activations {
  readonly path: string;
  readonly shape: ActivationShape;
  readonly #fd: number;
  #buffer = new Float32Array(0);

  private constructor(path: string, shape: ActivationShape, fd: number) {
    this.path = path;
    this.shape = shape;
    this.#fd = fd;
  }

  /** A new file of zeros; one that is there already is written over. */
  static create(path: string, shape: ActivationShape): Activations {
    const fd = writing(path, () => fs.openSync(path, 'w+'));
    writing(path, () => fs.ftruncateSync(fd, bytesOf(shape)));
    return new Activations(path, shape, fd);
  }

  /** A file written before; refused where its size is not that of `shape`. */
  static open(path: string, shape: ActivationShape): Activations {
    const fd = reading(path, () => fs.openSync(path, 'r+'));
    const bytes = reading(path, () => fs.fstatSync(fd).size);
    if (bytes === bytesOf(shape)) return new Activations(path, shape, fd);
    fs.closeSync(fd);
    throw new TamisError('file.wrong-size', { path, bytes, expected: bytesOf(shape) });
  }

  /** `count` sequences from sequence `start` on: [count * seqlen, hidden]. The array is the class's own until the next read. */
  read(start: number, count: number): Float32Array<ArrayBuffer> {
    const length = count * this.#sequence;
    if (this.#buffer.length < length) this.#buffer = new Float32Array(length);
    const x = this.#buffer.subarray(0, length);
    reading(this.path, () => {
      for (let done = 0; done < x.byteLength;) {
        const read = fs.readSync(this.#fd, x, done, x.byteLength - done, start * this.#sequence * 4 + done);
        if (read === 0) throw new Error('unexpected end of file');
        done += read;
      }
    });
    return x;
  }

  /** Writes whole sequences from sequence `start` on. */
  write(start: number, x: Float32Array): void {
    const bytes = new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
    writing(this.path, () => {
      for (let done = 0; done < bytes.length;) {
        done += fs.writeSync(this.#fd, bytes, done, bytes.length - done, start * this.#sequence * 4 + done);
      }
    });
  }

  /** Returns when the data is on the disk. */
  flush(): void {
    writing(this.path, () => fs.fsyncSync(this.#fd));
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  /** Closes and deletes the file. */
  remove(): void {
    this.close();
    fs.rmSync(this.path, { force: true });
  }

  get #sequence(): number {
    return this.shape.seqlen * this.shape.hidden;
  }
}

function bytesOf({ sequences, seqlen, hidden }: ActivationShape): number {
  return sequences * seqlen * hidden * 4;
}

function reading<T>(path: string, task: () => T): T {
  try {
    return task();
  } catch (error) {
    throw new TamisError('file.not-readable', { path, reason: reasonOf(error) }, { cause: error });
  }
}

function writing<T>(path: string, task: () => T): T {
  try {
    return task();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
      throw new TamisError('file.no-space', { path }, { cause: error });
    throw new TamisError('file.not-writable', { path, reason: reasonOf(error) }, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
