import { existsSync, readFileSync, statSync } from 'node:fs';

import { afterAll, expect, test } from 'vitest';

import { Activations } from '../../src/worker/run/activations.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('activations');
afterAll(folder.remove);

const shape = { sequences: 5, seqlen: 2, hidden: 3 };
/** Sequences `start` to `start + count`, each entry its own index in the file. */
const sequences = (start: number, count: number): Float32Array =>
  Float32Array.from({ length: count * 6 }, (_, i) => start * 6 + i);

test('reads back any sequences, whatever the order in which they were written', () => {
  const file = `${folder.path}/a.f32`;
  const activations = Activations.create(file, shape);
  activations.write(3, sequences(3, 2));
  activations.write(0, sequences(0, 3));
  expect([...activations.read(2, 2)]).toEqual([...sequences(2, 2)]);
  expect([...activations.read(0, 5)]).toEqual([...sequences(0, 5)]);
  activations.flush();
  activations.close();
  expect([...new Float32Array(new Uint8Array(readFileSync(file)).buffer)]).toEqual([...sequences(0, 5)]);
});

test('writes a part of a larger array, not the whole', () => {
  const activations = Activations.create(`${folder.path}/part.f32`, shape);
  activations.write(1, sequences(0, 5).subarray(6, 12));
  expect([...activations.read(0, 3)]).toEqual([0, 0, 0, 0, 0, 0, ...sequences(1, 1), 0, 0, 0, 0, 0, 0]);
  activations.remove();
  expect(existsSync(activations.path)).toBe(false);
});

test('opens what was written before, and refuses a file of another size', () => {
  const file = `${folder.path}/again.f32`;
  const first = Activations.create(file, shape);
  first.write(4, sequences(4, 1));
  first.close();
  const second = Activations.open(file, shape);
  expect([...second.read(4, 1)]).toEqual([...sequences(4, 1)]);
  second.close();
  expect(() => Activations.open(file, { ...shape, hidden: 4 })).toThrow(
    expect.objectContaining({ code: 'file.wrong-size', params: { path: file, bytes: 120, expected: 160 } }),
  );
  expect(statSync(file).size).toBe(120);
});

test('names the file that cannot be read, written or read to the end', () => {
  const missing = `${folder.path}/none/a.f32`;
  expect(() => Activations.create(missing, shape)).toThrow(expect.objectContaining({ code: 'file.not-writable' }));
  expect(() => Activations.open(missing, shape)).toThrow(expect.objectContaining({ code: 'file.not-readable' }));
  const activations = Activations.create(`${folder.path}/end.f32`, shape);
  expect(() => activations.read(4, 2)).toThrow(expect.objectContaining({ code: 'file.not-readable' }));
  activations.remove();
});
