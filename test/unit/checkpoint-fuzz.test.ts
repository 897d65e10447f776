import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';

import * as addon from '#native';

import { TamisError } from '../../src/contract/errors.ts';
import { fromNative } from '../../src/worker/native.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('checkpoint-fuzz');
afterAll(folder.remove);

const seeds = [
  safetensors({ weight: { dtype: 'F32', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] } }),
  safetensors({
    'a.weight': { dtype: 'F16', shape: [4, 2], data: [1, 2, 3, 4, 5, 6, 7, 8] },
    'a.bias': { dtype: 'BF16', shape: [2], data: [0, -1] },
    empty: { dtype: 'F32', shape: [0, 5], data: [] },
    ids: { dtype: 'I64', shape: [2], data: [3, 4] },
  }),
];
const tokens = [
  '-1',
  '0',
  '9',
  '1.5',
  '1e999',
  '18446744073709551615',
  'null',
  '"F16"',
  '"a.bias"',
  '[',
  ']',
  '{',
  '}',
  ',',
];

type Mutation = (file: Buffer) => Buffer;
const place = fc.nat(400);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.nat(7)).map(([at, bit]): Mutation => {
    return (file) => file.map((byte, i) => (i === at % file.length ? byte ^ (1 << bit) : byte)) as Buffer;
  }),
  place.map(
    (at): Mutation =>
      (file) =>
        file.subarray(0, at % file.length),
  ),
  fc.tuple(place, fc.nat(9)).map(([at, digit]): Mutation => {
    return (file) => Buffer.from(file.toString('latin1').replace(nthDigit(at), `$1${digit}`), 'latin1');
  }),
  fc.tuple(place, fc.constantFrom(...tokens), fc.nat(8)).map(([at, token, cut]): Mutation => {
    return (file) => withHeader(file, (json) => json.slice(0, at) + token + json.slice(at + cut));
  }),
  fc.constantFrom(0n, 1n, 8n, 100_000_001n, 2n ** 63n, 2n ** 64n - 1n).map((length): Mutation => {
    return (file) => Buffer.concat([Buffer.from(new BigUint64Array([length]).buffer), file.subarray(8)]);
  }),
);

/** Matches up to the (n mod 16)-th digit of the header. */
function nthDigit(n: number): RegExp {
  return new RegExp(`^([^]{8}(?:[^0-9]*[0-9]){${n % 16}}[^0-9]*)[0-9]`);
}

/** The file with another header and the length that belongs to it. */
function withHeader(file: Buffer, change: (json: string) => string): Buffer {
  const end = file.length < 8 ? file.length : 8 + Number(file.readBigUInt64LE() % 512n);
  const json = Buffer.from(change(file.subarray(8, end).toString('latin1')), 'latin1');
  return Buffer.concat([Buffer.from(new BigUint64Array([BigInt(json.length)]).buffer), json, file.subarray(end)]);
}

/** Opens a file and reads all of it: the code of its refusal, or `read`. */
function outcome(bytes: Buffer): string {
  const path = join(folder.path, 'x.safetensors');
  // A new file each time: the one before may still be mapped.
  rmSync(path, { force: true });
  writeFileSync(path, bytes);
  try {
    const checkpoint = addon.Checkpoint.openFile(path);
    for (const { name, dtype } of checkpoint.tensors()) {
      if (['F32', 'F16', 'BF16'].includes(dtype)) checkpoint.readF32(name);
    }
    return 'read';
  } catch (thrown) {
    const error = fromNative(thrown);
    if (error instanceof TamisError) return error.code;
    throw error;
  }
}

test('10,000 mutated headers are read or refused by name', () => {
  const outcomes = new Map<string, number>();
  const mutant = fc.tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(mutant, ([seed, mutations]) => {
      const code = outcome(mutations.reduce((file, mutate) => mutate(file), seed));
      expect(code).toMatch(/^(read$|checkpoint\.)/);
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
    }),
    { numRuns: 10_000, seed: 1 },
  );
  // The mutants get past the first checks, and some stay true.
  expect(outcomes.size, JSON.stringify([...outcomes])).toBeGreaterThanOrEqual(12);
  expect(outcomes.get('read')).toBeGreaterThan(100);
});
