import type { ErrorCode } from '../../src/contract/messages/en.ts';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import * as addon from '#native';

import { fromNative } from '../../src/worker/native.ts';
import { refusalOf } from '../fixtures/refusal.ts';
import { safetensors, safetensorsFile, testFolder, type HeaderEntry } from '../fixtures/safetensors.ts';

const folder = testFolder('checkpoint');
afterAll(folder.remove);

const tensors = {
  a: { dtype: 'F32', shape: [2, 2], data: [1, -2.5, 0, 1e-30] },
  b: { dtype: 'F16', shape: [3], data: [0.5, 65504, -0] },
  c: { dtype: 'BF16', shape: [1, 2], data: [3, -0.15625] },
  ids: { dtype: 'I64', shape: [2], data: [50271, -7] },
  short: { dtype: 'I32', shape: [2], data: [0, 2 ** 31 - 1] },
  wide: { dtype: 'F64', shape: [], data: [1] },
};

describe('reading', () => {
  const file = folder.write('reading.safetensors', safetensors(tensors));
  const checkpoint = addon.Checkpoint.openFile(file);

  test('lists every tensor in the order of the data', () => {
    const listed = checkpoint.tensors();
    expect(listed.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(
      Object.entries(tensors).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    );
    const ids = listed.find(({ name }) => name === 'ids');
    expect(ids).toMatchObject({ file, bytes: 16 });
    expect(readFileSync(file).readBigInt64LE(ids?.offset)).toBe(50271n);
  });

  test('reads numbers', () => {
    expect([...checkpoint.readF32('a')]).toEqual([1, -2.5, 0, Math.fround(1e-30)]);
    expect([...checkpoint.readF32('b')]).toEqual([0.5, 65504, -0]);
    expect([...checkpoint.readF32('c')]).toEqual([3, -0.15625]);
    expect([...checkpoint.readI64('ids')]).toEqual([50271, -7]);
    expect([...checkpoint.readI64('short')]).toEqual([0, 2 ** 31 - 1]);
  });

  test('refuses what it does not hold or cannot be read', () => {
    expect(refusalOf(() => checkpoint.readF32('d'))).toMatchObject({
      code: 'checkpoint.no-tensor',
      params: { path: file, tensor: 'd' },
    });
    expect(refusalOf(() => checkpoint.readF32('wide')).code).toBe('checkpoint.not-a-weight-dtype');
    expect(refusalOf(() => checkpoint.readI64('a')).code).toBe('checkpoint.not-an-id-dtype');
  });

  test('scans for zeros and for what is not finite', async () => {
    const control = new addon.Control();
    await expect(checkpoint.scan('a', control)).resolves.toEqual({ elements: 4, zeros: 1, firstNotFinite: -1 });
    const holes = safetensors({ x: { dtype: 'BF16', shape: [4], data: [0, -Infinity, -0, NaN] } });
    const broken = addon.Checkpoint.openFile(folder.write('broken.safetensors', holes));
    await expect(broken.scan('x', control)).resolves.toEqual({ elements: 4, zeros: 2, firstNotFinite: 1 });
    expect(control.progress).toBe(1);
    control.cancel();
    const cancelled = await broken.scan('x', control).catch(fromNative);
    expect(cancelled).toMatchObject({ code: 'cancelled' });
  });
});

describe('folders', () => {
  test('follows the symbolic links of the hub cache', () => {
    const blob = folder.write('blobs/0123', safetensors({ a: { dtype: 'U8', shape: [1], data: [7] } }));
    folder.write('snapshot/model.safetensors.index.json', '{"weight_map":{"a":"model-1.safetensors"}}');
    symlinkSync('../blobs/0123', join(folder.path, 'snapshot/model-1.safetensors'));
    expect(addon.Checkpoint.open(join(folder.path, 'snapshot')).tensors()).toMatchObject([{ name: 'a', file: blob }]);
  });

  const cases: readonly (readonly [ErrorCode, string, Readonly<Record<string, string>>])[] = [
    ['checkpoint.no-weights', 'no weights', { 'config.json': '{}' }],
    ['checkpoint.bin-not-an-archive', 'PyTorch weights that are none', { 'pytorch_model.bin': 'not an archive' }],
    ['checkpoint.index-malformed', 'an index of PyTorch shards that is none', { 'pytorch_model.bin.index.json': '{}' }],
    ['checkpoint.not-a-file', 'a folder in place of the file', { 'model.safetensors/x': '' }],
    ['checkpoint.too-short', 'an empty file', { 'model.safetensors': '' }],
    [
      'checkpoint.lfs-pointer',
      'a Git LFS pointer',
      { 'model.safetensors': 'version https://git-lfs.github.com/spec/v1\n' },
    ],
    ['checkpoint.index-malformed', 'an index that is none', { 'model.safetensors.index.json': '{"weight_map":[]}' }],
    ['checkpoint.shard-missing', 'a missing shard', { 'model.safetensors.index.json': '{"weight_map":{"a":"1"}}' }],
    ['checkpoint.shard-name', 'a path for a shard', { 'model.safetensors.index.json': '{"weight_map":{"a":"../1"}}' }],
    [
      'checkpoint.index-duplicate',
      'one tensor twice in the index',
      { 'model.safetensors.index.json': '{"weight_map":{"a":"1","a":"1"}}' },
    ],
  ];
  test.each(cases)('%s: %s', (code, what, files) => {
    for (const [name, text] of Object.entries(files)) folder.write(join(what, name), text);
    const error = refusalOf(() => addon.Checkpoint.open(join(folder.path, what)));
    expect(error.code).toBe(code);
    expect(String(error.params['path'])).toContain(join(folder.path, what));
  });

  test('a file or nothing in place of the folder', () => {
    expect(refusalOf(() => addon.Checkpoint.open(join(folder.path, 'nowhere'))).code).toBe('checkpoint.not-a-folder');
    const file = folder.write('file', '');
    expect(refusalOf(() => addon.Checkpoint.open(file)).params).toEqual({ path: file });
  });

  test('a tensor that is not where the index puts it', () => {
    const index = '{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}';
    const path = join(folder.path, 'swapped');
    const one = (name: string): Buffer => safetensors({ [name]: { dtype: 'U8', shape: [1], data: [1] } });
    const indexFile = folder.write('swapped/model.safetensors.index.json', index);
    folder.write('swapped/1.safetensors', one('b'));
    folder.write('swapped/2.safetensors', one('a'));
    expect(refusalOf(() => addon.Checkpoint.open(path))).toMatchObject({
      code: 'checkpoint.tensor-not-in-shard',
      params: { path: indexFile, tensor: 'a', shard: '1.safetensors' },
    });
    folder.write('swapped/2.safetensors', one('b'));
    expect(refusalOf(() => addon.Checkpoint.open(path)).code).toBe('checkpoint.tensor-in-two-shards');
  });
});

describe('headers that lie', () => {
  type Lie = (header: Record<string, HeaderEntry>) => void;
  const two = {
    a: { dtype: 'F32', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
    b: { dtype: 'F16', shape: [4], data: [1, 2, 3, 4] },
  };
  const change =
    (name: 'a' | 'b', entry: HeaderEntry): Lie =>
    (header) =>
      Object.assign(header[name] ?? {}, entry);

  const lies: readonly (readonly [ErrorCode, Readonly<Record<string, string | number>>, Lie])[] = [
    ['checkpoint.unknown-dtype', { tensor: 'a', dtype: 'F33' }, change('a', { dtype: 'F33' })],
    ['checkpoint.bad-dimension', { tensor: 'a', dimension: '-3' }, change('a', { shape: [-3] })],
    ['checkpoint.shape-overflow', { tensor: 'a' }, change('a', { shape: [2 ** 52, 2 ** 52] })],
    ['checkpoint.part-of-a-byte', { tensor: 'b', bits: 12 }, change('b', { dtype: 'F4', shape: [3] })],
    ['checkpoint.size-mismatch', { tensor: 'a', expected: 20, actual: 24 }, change('a', { shape: [5] })],
    ['checkpoint.offsets-reversed', { tensor: 'b', begin: 32, end: 24 }, change('b', { data_offsets: [32, 24] })],
    [
      'checkpoint.offsets-outside',
      { tensor: 'b', end: 40, size: 32 },
      change('b', { shape: [8], data_offsets: [24, 40] }),
    ],
    [
      'checkpoint.offsets-overlap',
      { tensor: 'b', other: 'a', offset: 22 },
      change('b', { shape: [5], data_offsets: [22, 32] }),
    ],
    ['checkpoint.hole', { tensor: 'b', offset: 24, bytes: 2 }, change('b', { shape: [3], data_offsets: [26, 32] })],
    ['checkpoint.trailing-bytes', { offset: 24, bytes: 8 }, (header) => delete header['b']],
    ['checkpoint.header-malformed', { tensor: 'a' }, change('a', { shape: '2,3' })],
  ];
  test.each(lies)('%s %o', (code, params, lie) => {
    const path = folder.write('lie.safetensors', safetensors(two, lie));
    const error = refusalOf(() => addon.Checkpoint.openFile(path));
    expect(error).toMatchObject({ code, params: { path, ...params } });
  });

  const nothing = new Uint8Array();
  const files: readonly (readonly [ErrorCode, Buffer])[] = [
    ['checkpoint.too-short', Buffer.alloc(7)],
    ['checkpoint.header-beyond-file', safetensorsFile('{}', nothing, 3n)],
    ['checkpoint.header-beyond-file', safetensorsFile('{}', nothing, 2n ** 64n - 1n)],
    ['checkpoint.header-not-utf8', safetensorsFile(Buffer.from([0x7b, 0xff, 0x7d]), nothing)],
    ['checkpoint.header-not-json', safetensorsFile('{"a":', nothing)],
    ['checkpoint.header-not-an-object', safetensorsFile('[]', nothing)],
    ['checkpoint.header-not-an-object', safetensorsFile('['.repeat(1_000_000), nothing)],
    ['checkpoint.header-malformed', safetensorsFile('{"a":'.repeat(1_000_000), nothing)],
    ['checkpoint.duplicate-tensor', safetensorsFile('{"__metadata__":{},"__metadata__":{}}', nothing)],
  ];
  test.each(files)('%s', (code, bytes) => {
    const path = folder.write('lie.safetensors', bytes);
    expect(refusalOf(() => addon.Checkpoint.openFile(path))).toMatchObject({ code, params: { path } });
  });

  test('a header of more than 100 MB', () => {
    const path = folder.write('long.safetensors', safetensorsFile('{}', nothing, 100_000_001n));
    truncateSync(path, 100_000_009);
    expect(refusalOf(() => addon.Checkpoint.openFile(path))).toMatchObject({
      code: 'checkpoint.header-too-large',
      params: { path, header: 100_000_001, limit: 100_000_000 },
    });
  });
});

describe('writing', () => {
  const source = addon.Checkpoint.openFile(folder.write('source.safetensors', safetensors(tensors)));
  const specs = source.tensors().map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  const out = join(folder.path, 'out');
  mkdirSync(out);
  const path = join(out, 'model.safetensors');

  test('what is written is read back bit for bit', async () => {
    const order = specs.toReversed();
    const writer = new addon.ShardWriter(path, order);
    for (const { name } of order) await writer.copy(name, source);
    expect(readdirSync(out)).toEqual(['model.safetensors.partial']);
    await writer.finish();
    expect(readdirSync(out)).toEqual(['model.safetensors']);

    const written = addon.Checkpoint.openFile(path);
    expect(written.tensors().map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(order);
    const bytes = (checkpoint: addon.Checkpoint, name: string): Buffer | undefined => {
      const tensor = checkpoint.tensors().find((info) => info.name === name);
      return tensor && readFileSync(tensor.file).subarray(tensor.offset, tensor.offset + tensor.bytes);
    };
    for (const { name } of order) expect(bytes(written, name)).toEqual(bytes(source, name));
    const file = readFileSync(path);
    expect(Number(file.readBigUInt64LE()) % 8).toBe(0);
    expect(JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE())).toString())).toMatchObject({
      __metadata__: { format: 'pt' },
    });
  });

  test('a shard out of order, incomplete or abandoned leaves nothing behind', async () => {
    const before = readFileSync(path);
    const writer = new addon.ShardWriter(path, specs);
    expect(await writer.copy('c', source).catch(fromNative)).toMatchObject({ code: 'internal' });
    await writer.copy('a', source);
    expect(await writer.finish().catch(fromNative)).toMatchObject({ code: 'internal' });
    expect(readdirSync(out)).toEqual(['model.safetensors']);
    const other = new addon.ShardWriter(path, specs);
    expect(readdirSync(out)).toHaveLength(2);
    other.abandon();
    expect(readdirSync(out)).toEqual(['model.safetensors']);
    expect(readFileSync(path)).toEqual(before);
  });

  test('a folder that is not there', () => {
    const nowhere = join(folder.path, 'nowhere', 'model.safetensors');
    expect(refusalOf(() => new addon.ShardWriter(nowhere, specs)).code).toBe('file.not-writable');
  });
});
