import fs, { existsSync, readFileSync, statSync, truncateSync } from 'node:fs';

import { afterAll, afterEach, expect, test, vi } from 'vitest';

import { Activations, type Batch } from '../../src/worker/machine/activations.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('activations');
afterAll(folder.remove);
afterEach(() => {
  vi.restoreAllMocks();
});

const shape = { sequences: 5, seqlen: 2, hidden: 3 };
/** Sequences `start` to `start + count`, each entry its own index in the file. */
const sequences = (start: number, count: number): Float32Array =>
  Float32Array.from({ length: count * 6 }, (_, i) => start * 6 + i);

async function collect(
  activations: Activations,
  ...which: Parameters<Activations['batches']>
): Promise<(Omit<Batch, 'x'> & { x: number[] })[]> {
  const batches = [];
  for await (const { first, count, x } of activations.batches(...which)) batches.push({ first, count, x: [...x] });
  return batches;
}

test('reads back any sequences, whatever the order in which they were written', async () => {
  const file = `${folder.path}/a.f32`;
  const activations = Activations.create(file, shape);
  await activations.write(3, sequences(3, 2));
  await activations.write(0, sequences(0, 3));
  expect([...(await activations.read(2, 2))]).toEqual([...sequences(2, 2)]);
  expect([...(await activations.read(0, 5))]).toEqual([...sequences(0, 5)]);
  await activations.flush();
  await activations[Symbol.asyncDispose]();
  expect([...new Float32Array(new Uint8Array(readFileSync(file)).buffer)]).toEqual([...sequences(0, 5)]);
});

test.each([1, 2, 3, 5, 7])('gives all sequences in batches of %d, the last one of what is left', async (size) => {
  await using activations = Activations.scratch(`${folder.path}/batches-${size}.f32`, shape);
  await activations.write(0, sequences(0, 5));
  const firsts = [0, 1, 2, 3, 4].filter((first) => first % size === 0);
  expect(await collect(activations, size)).toEqual(
    firsts.map((first) => {
      const count = Math.min(size, 5 - first);
      return { first, count, x: [...sequences(first, count)] };
    }),
  );
});

test.each([
  [1, 4],
  [2, 5],
  [0, 3],
  [3, 4],
])('gives those from %d up to %d alone', async (start, end) => {
  await using activations = Activations.scratch(`${folder.path}/part-${start}-${end}.f32`, shape);
  await activations.write(0, sequences(0, 5));
  const batches = await collect(activations, 2, start, end);
  expect(batches.map(({ first }) => first)).toEqual([start, start + 2].filter((first) => first < end));
  expect(batches.flatMap(({ x }) => x)).toEqual([...sequences(start, end - start)]);
});

test('writes results over the batches that they come from, while the next ones are read', async () => {
  await using activations = Activations.scratch(`${folder.path}/in-place.f32`, shape);
  await activations.write(0, sequences(0, 5));
  const result = new Float32Array(12);
  for (let pass = 0; pass < 20; pass++) {
    for await (const { first, x } of activations.batches(2)) {
      const y = result.subarray(0, x.length);
      for (const [i, value] of x.entries()) y[i] = value + 1;
      await activations.write(first, y);
      // It was taken: what stands here now is not written.
      result.fill(NaN);
    }
  }
  expect([...(await activations.read(0, 5))]).toEqual([...sequences(0, 5)].map((value) => value + 20));
});

test('reads the next batch before it is asked for', async () => {
  await using activations = Activations.scratch(`${folder.path}/ahead.f32`, shape);
  const read = vi.spyOn(fs, 'read');
  const batches = activations.batches(2);
  await batches.next();
  expect(read).toHaveBeenCalledTimes(2);
  await batches.return();
});

test('writes a part of a larger array, not the whole', async () => {
  const activations = Activations.scratch(`${folder.path}/part.f32`, shape);
  await activations.write(1, sequences(0, 5).subarray(6, 12));
  expect([...(await activations.read(0, 3))]).toEqual([0, 0, 0, 0, 0, 0, ...sequences(1, 1), 0, 0, 0, 0, 0, 0]);
  await activations[Symbol.asyncDispose]();
  expect(existsSync(activations.path)).toBe(false);
});

test('opens what was written before, and refuses a file of another size', async () => {
  const file = `${folder.path}/again.f32`;
  const first = Activations.create(file, shape);
  await first.write(4, sequences(4, 1));
  await first[Symbol.asyncDispose]();
  const second = Activations.open(file, shape);
  expect([...(await second.read(4, 1))]).toEqual([...sequences(4, 1)]);
  await second[Symbol.asyncDispose]();
  expect(() => Activations.open(file, { ...shape, hidden: 4 })).toThrow(
    expect.objectContaining({ code: 'file.wrong-size', params: { path: file, bytes: 120, expected: 160 } }),
  );
  expect(statSync(file).size).toBe(120);
});

test('names the file that cannot be opened, or that ends too soon', async () => {
  const missing = `${folder.path}/none/a.f32`;
  expect(() => Activations.create(missing, shape)).toThrow(expect.objectContaining({ code: 'file.not-writable' }));
  expect(() => Activations.open(missing, shape)).toThrow(expect.objectContaining({ code: 'file.not-readable' }));
  await using activations = Activations.scratch(`${folder.path}/end.f32`, shape);
  truncateSync(activations.path, 100);
  const short = { code: 'file.wrong-size', params: { path: activations.path, bytes: 100, expected: 120 } };
  await expect(activations.read(4, 1)).rejects.toMatchObject(short);
  await expect(collect(activations, 2)).rejects.toMatchObject(short);
});

test.each([
  ['ENOSPC', 'file.no-space'],
  ['EIO', 'file.not-writable'],
])('a write that fails with %s in the background is thrown before anything counts as written', async (reason, code) => {
  await using activations = Activations.scratch(`${folder.path}/full.f32`, shape);
  const error = Object.assign(new Error(`${reason}: injected, write`), { code: reason, syscall: 'write' });
  vi.spyOn(fs, 'write').mockImplementation((...args: unknown[]) => {
    setTimeout(args.at(-1) as (error: Error) => void, 1, error);
  });
  await activations.write(0, sequences(0, 1));
  await expect(activations.write(1, sequences(1, 1))).rejects.toMatchObject({ code });
  await expect(activations.settle()).rejects.toMatchObject({ code });
  await expect(activations.flush()).rejects.toMatchObject({ code });
  await expect(collect(activations, 2)).rejects.toMatchObject({ code });
});

test('may be left in the middle: the file is closed after what was being read', async () => {
  const activations = Activations.scratch(`${folder.path}/left.f32`, shape);
  for await (const { first } of activations.batches(1)) if (first === 1) break;
  await activations[Symbol.asyncDispose]();
  expect(existsSync(activations.path)).toBe(false);
});
