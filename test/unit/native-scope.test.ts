import { existsSync, readFileSync } from 'node:fs';

import { afterAll, expect, test } from 'vitest';

import { native, translated, type Divergences, type Factor, type Gram } from '../../src/worker/native.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('native-scope');
afterAll(folder.remove);
const control = new native.Control();
const rows = Float32Array.of(1, 2, 0, 1);

/** Leaves the scope of what `make` gives by an error. */
async function thrownOver<T extends Disposable>(make: () => T | Promise<T>): Promise<T> {
  let left: T | undefined;
  const leave = async (): Promise<void> => {
    using owned = await make();
    left = owned;
    throw new Error('on purpose');
  };
  await expect(leave()).rejects.toThrow('on purpose');
  if (left === undefined) throw new Error('nothing was made');
  return left;
}

test('a Gram matrix is freed at the end of its scope', async () => {
  const gram = await thrownOver(async (): Promise<Gram> => {
    const made = new native.Gram(2);
    await made.add(rows, 2, control);
    return made;
  });
  await expect(gram.add(rows, 2, control)).rejects.toThrow('internal');
});

test('one that was factored is there to be freed once more', async () => {
  using gram = new native.Gram(2);
  await gram.add(rows, 2, control);
  using factor = await native.factorize(gram, 1, 0.01, 'natural', false, control);
  expect(factor.cols).toBe(2);
});

test('a factor and sums of divergences are freed likewise', async () => {
  const factor = await thrownOver(async (): Promise<Factor> => {
    using gram = new native.Gram(2);
    await gram.add(rows, 2, control);
    return await native.factorize(gram, 1, 0.01, 'natural', false, control);
  });
  expect(factor.cols).toBe(0);
  const sums = await thrownOver((): Divergences => new native.Divergences(Int32Array.of(1, 0), 1));
  await expect(translated(() => sums.result(0))).rejects.toThrow();
});

test.each([
  ['FileWriter', (path: string) => new native.FileWriter(path)],
  ['ArchiveWriter', (path: string) => new native.ArchiveWriter(path)],
  ['ShardWriter', (path: string) => new native.ShardWriter(path, [{ name: 'w', dtype: 'F32', shape: [1] }])],
] as const)('%s leaves no file behind where its scope ends before it is finished', async (name, open) => {
  const path = `${folder.path}/${name}`;
  await thrownOver(() => {
    const writer = open(path);
    expect(existsSync(`${path}.partial`)).toBe(true);
    return writer;
  });
  expect(existsSync(`${path}.partial`)).toBe(false);
  expect(existsSync(path)).toBe(false);
});

test('a file that is finished stays', async () => {
  const path = `${folder.path}/finished`;
  {
    using writer = new native.FileWriter(path);
    writer.append(Uint8Array.of(7));
    await writer.finish();
  }
  expect([...readFileSync(path)]).toEqual([7]);
});
