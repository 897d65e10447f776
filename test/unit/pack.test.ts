import { existsSync, readFileSync } from 'node:fs';
import { crc32, zstdDecompressSync } from 'node:zlib';

import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';

import * as addon from '#native';

import { TamisError } from '../../src/contract/errors.ts';
import { fromNative } from '../../src/worker/native.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';
import { quantizedLayer, type LayerFixture } from '../fixtures/quantized-layer.ts';

const folder = testFolder('pack');
afterAll(folder.remove);
const control = new addon.Control();

let count = 0;
const fresh = (name: string): string => `${folder.path}/${(count += 1)}-${name}`;

/** A layer of the addon from a run's two files. */
function open(layer: LayerFixture): addon.QuantizedLayer {
  const model = folder.write(`${(count += 1)}-model.safetensors`, layer.model);
  const parameters = folder.write(`${count}-block.safetensors`, layer.parameters);
  const [checkpoint, block] = [addon.Checkpoint.openFile(model), addon.Checkpoint.openFile(parameters)];
  return addon.QuantizedLayer.open(checkpoint, block, { name: 'a' }, layer.bits, layer.groupSize);
}

/** What `unpack` writes as a tensor of the layer's shape. */
async function dense(layer: LayerFixture, unpack: (writer: addon.ShardWriter) => Promise<void>): Promise<Buffer> {
  const path = fresh('dense.safetensors');
  const shape = [layer.rows, layer.cols];
  const writer = new addon.ShardWriter(path, [{ name: 'a.weight', dtype: 'F32', shape }]);
  await unpack(writer);
  await writer.finish();
  return readFileSync(path).subarray(-4 * layer.rows * layer.cols);
}

/** The weight as [cols, rows]. */
function transposed({ rows, cols, dense: bytes }: LayerFixture): Buffer {
  const order = Array.from({ length: rows * cols }, (_, i) => (i % rows) * cols + Math.floor(i / rows));
  return Buffer.concat(order.map((at) => bytes.subarray(4 * at, 4 * at + 4)));
}

const layers = fc
  .record({
    rows: fc.integer({ min: 1, max: 40 }),
    cols: fc.constantFrom(1, 5, 31, 32, 64, 100, 160),
    bits: fc.constantFrom(2 as const, 3 as const, 4 as const, 8 as const),
    groupSize: fc.constantFrom(0, 32, 64, 128),
    symmetric: fc.boolean(),
    sparsity: fc.constantFrom(0, 0.5, 0.7, 1),
    seed: fc.nat(),
  })
  .map(quantizedLayer);

const layouts = ['gptq_v2', 'pack-quantized', 'nbits', 'q4_0'] as const;

/** Writes the layer in a layout and opens it again. */
async function packed(
  layer: LayerFixture,
  layout: (typeof layouts)[number],
  path = fresh(layout),
): Promise<addon.PackedLayer> {
  const { rows, cols, bits, groupSize, groups } = layer;
  const quantized = open(layer);
  const words = (codes: number): number => Math.ceil((codes * bits) / 32);
  type Part = addon.PackedPart['part'];
  const shard = async (
    tensors: readonly [string, string, number[], Part][],
    shape?: Buffer,
  ): Promise<addon.Checkpoint> => {
    const specs = tensors.map(([name, dtype, dimensions]) => ({ name, dtype, shape: dimensions }));
    if (shape) specs.push({ name: 'a.weight_shape', dtype: 'I64', shape: [2] });
    const writer = new addon.ShardWriter(path, specs);
    for (const [name, , , part] of tensors) await writer.pack(name, quantized, { part }, control);
    if (shape) writer.append('a.weight_shape', shape);
    await writer.finish();
    return addon.Checkpoint.openFile(path);
  };
  if (layout === 'gptq_v2') {
    const checkpoint = await shard([
      ['a.qweight', 'I32', [words(cols), rows], 'gptq.qweight'],
      ['a.qzeros', 'I32', [groups, words(rows)], 'gptq_v2.qzeros'],
      ['a.scales', 'F16', [groups, rows], 'gptq.scales'],
      ['a.g_idx', 'I32', [cols], 'gptq.g_idx'],
    ]);
    return addon.PackedLayer.gptq(checkpoint, 'a', bits, groupSize, 'gptq_v2');
  }
  if (layout === 'pack-quantized') {
    const zeros = [['a.weight_zero_point', 'I32', [words(rows), groups], 'ct.weight_zero_point']] as const;
    const checkpoint = await shard(
      [
        ['a.weight_packed', 'I32', [rows, words(cols)], 'ct.weight_packed'],
        ['a.weight_scale', 'F16', [rows, groups], 'ct.weight_scale'],
        ...(layer.symmetric
          ? []
          : zeros.map(
              ([name, dtype, shape, part]) => [name, dtype, [...shape], part] as [string, string, number[], Part],
            )),
      ],
      Buffer.from(new BigInt64Array([BigInt(rows), BigInt(cols)]).buffer),
    );
    return addon.PackedLayer.packQuantized(checkpoint, 'a', bits, groupSize);
  }
  const parts: Part[] = layout === 'q4_0' ? ['q4_0'] : ['nbits.b', 'nbits.scales', 'nbits.zero_points'];
  const file = new addon.FileWriter(path);
  file.append(new Uint8Array(3));
  file.align(32);
  const offsets: number[] = [];
  for (const part of parts) {
    offsets.push(file.position);
    await file.appendPacked(quantized, { part, blockSize: 32 }, control);
    const bytes = addon.packedBytes({ rows, cols, bits, groupSize }, { part, blockSize: 32 });
    expect(file.position - (offsets.at(-1) ?? 0)).toBe(bytes);
  }
  await file.finish();
  const data = addon.DataFile.open(path);
  const [b = 0, scales = 0, zeroPoints = 0] = offsets;
  if (layout === 'q4_0') return addon.PackedLayer.ggml(data, { type: 'q4_0', offset: b, rows, cols });
  return addon.PackedLayer.nbits(data, {
    b,
    scales,
    zeroPoints,
    rows,
    cols,
    bits: bits === 3 ? 4 : bits,
    blockSize: 32,
  });
}

test.each(layouts)('%s: pack, then unpack, is the identity', async (layout) => {
  await fc.assert(
    fc.asyncProperty(layers, async (layer) => {
      fc.pre(layout !== 'pack-quantized' || layer.bits !== 3);
      fc.pre(layout !== 'q4_0' || (layer.symmetric && layer.bits !== 8));
      const read = await packed(layer, layout);
      expect([read.rows, read.cols]).toEqual([layer.rows, layer.cols]);
      const written = await dense(layer, (writer) => writer.unpack({ name: 'a.weight' }, read, 'F32', null, control));
      expect(written.equals(layer.dense)).toBe(true);
      const name = { name: 'a.weight', transposed: true };
      const turned = await dense(layer, (writer) => writer.unpack(name, read, 'F32', null, control));
      expect(turned.equals(transposed(layer))).toBe(true);
    }),
    { numRuns: 25, seed: 1 },
  );
});

test('plain tensors are converted, their rows in any order, and read back', async () => {
  const values = [1, -2.5, 3.14159, 65519, 1e-7, 0];
  const source = folder.write('plain.safetensors', safetensors({ w: { dtype: 'F32', shape: [3, 2], data: values } }));
  const checkpoint = addon.Checkpoint.openFile(source);
  const rows = Uint32Array.of(2, 0, 1);
  const inOrder = [...rows].flatMap((row) => values.slice(2 * row, 2 * row + 2));
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    const path = fresh(dtype);
    const writer = new addon.FileWriter(path);
    await writer.appendTensor(checkpoint, { name: 'w' }, dtype, rows, control);
    await writer.finish();
    const expected = safetensors({ w: { dtype, shape: [3, 2], data: inOrder } });
    const size = 6 * (dtype === 'F32' ? 4 : 2);
    const bytes = readFileSync(path);
    expect(bytes.equals(expected.subarray(expected.length - size))).toBe(true);
    const read = addon.PackedLayer.ggml(addon.DataFile.open(path), { type: dtype, offset: 0, rows: 3, cols: 2 });
    const back = fresh('back.safetensors');
    const shard = new addon.ShardWriter(back, [{ name: 'w', dtype, shape: [3, 2] }]);
    await shard.unpack({ name: 'w' }, read, dtype, Uint32Array.of(0, 1, 2), control);
    await shard.finish();
    expect(readFileSync(back).subarray(-size).equals(bytes)).toBe(true);
  }
});

test('what is refused leaves nothing behind', async () => {
  const large = safetensors({ w: { dtype: 'F32', shape: [1, 2], data: [1, 65520] } });
  const checkpoint = addon.Checkpoint.openFile(folder.write('large.safetensors', large));
  const path = fresh('half');
  const writer = new addon.FileWriter(path);
  const refused = await outcome(() => writer.appendTensor(checkpoint, { name: 'w' }, 'F16', null, control));
  expect(refused).toBe('pack.too-large-for-dtype');
  writer.abandon();
  const stopped = new addon.Control();
  stopped.cancel();
  const layer = quantizedLayer({ rows: 4, cols: 8, bits: 4, groupSize: 0, symmetric: true, sparsity: 0, seed: 1 });
  const archive = new addon.ArchiveWriter(path);
  expect(await outcome(() => archive.addLayer(open(layer), stopped))).toBe('cancelled');
  archive.abandon();
  expect(existsSync(path) || existsSync(`${path}.partial`)).toBe(false);
  expect(await outcome(() => Promise.resolve().then(() => addon.DataFile.open(folder.path)))).toBe(
    'checkpoint.not-a-file',
  );
  const data = addon.DataFile.open(folder.write('short', Buffer.alloc(17)));
  const place = { type: 'q4_0' as const, offset: 0, rows: 1, cols: 32 };
  expect(await outcome(() => Promise.resolve().then(() => addon.PackedLayer.ggml(data, place)))).toBe('pack.outside');
});

/** Archives by the words of docs/formats.md alone: the first `length` bytes of a file, section by section. */
function sectionsOf(archive: Buffer): { kind: number; name: string; header: Buffer; payload: Buffer }[] {
  expect(archive.subarray(0, 12).toString('latin1')).toBe('tamis\0\r\n\x01\0\0\0');
  const found = [];
  for (let at = 12; at + 20 <= archive.length && archive.toString('latin1', at, at + 4) === 'SECT';) {
    const [h, p] = [archive.readUInt32LE(at + 4), Number(archive.readBigUInt64LE(at + 8))];
    if (at + 24 + h + p > archive.length) break;
    const header = archive.subarray(at + 20, at + 20 + h);
    const payload = archive.subarray(at + 20 + h, at + 20 + h + p);
    expect(archive.readUInt32LE(at + 16)).toBe(crc32(header, crc32(archive.subarray(at + 4, at + 16))));
    expect(archive.readUInt32LE(at + 20 + h + p)).toBe(crc32(payload));
    const name = header.toString('utf8', 16 + 8 * (header[4] ?? 0) + (header[3] ?? 0));
    found.push({ kind: header[0] ?? 0, name, header, payload });
    at += 24 + h + p;
  }
  return found;
}

/** Takes frames off the front of a payload. */
function frames(payload: Buffer): () => { coding: number; bytes: Buffer } {
  let at = 0;
  return () => {
    const [coding = 0, length] = [payload[at], payload.readUInt32LE(at + 1)];
    const stored = payload.subarray(at + 5, at + 5 + length);
    at += 5 + length;
    return { coding, bytes: coding === 0 ? stored : zstdDecompressSync(stored) };
  };
}

function code(stream: { coding: number; bytes: Buffer }, bits: number, index: number): number {
  if (stream.coding === 2) return ((stream.bytes[index >> 1] ?? 0) >> (3 * (index & 1))) & 7;
  let value = 0;
  for (let bit = 0; bit < bits; bit += 1) {
    const at = index * bits + bit;
    value |= (((stream.bytes[at >> 3] ?? 0) >> (at & 7)) & 1) << bit;
  }
  return value;
}

/** The float32 values of a quantized layer's section. */
function unpackLayer(header: Buffer, payload: Buffer): Float32Array {
  const [bits = 0, flags = 0] = [header[1], header[2]];
  const groupSize = Number(header.readBigUInt64LE(8));
  const [rows, cols] = [Number(header.readBigUInt64LE(16)), Number(header.readBigUInt64LE(24))];
  const [groups, height] = [Math.ceil(cols / groupSize), Math.max(1, Math.floor(2 ** 18 / cols))];
  const take = frames(payload);
  const weights = new Float32Array(rows * cols);
  for (let first = 0; first < rows; first += height) {
    const [mask, codes, low, high] = [take(), take(), take(), take()];
    const zeros = flags & 1 ? take() : null;
    let next = 0;
    for (let i = 0; i < Math.min(height, rows - first) * cols; i += 1) {
      if (code(mask, 1, i) === 0) continue;
      const group = Math.floor(i / cols) * groups + Math.floor((i % cols) / groupSize);
      const scale = float16(((high.bytes[group] ?? 0) << 8) | (low.bytes[group] ?? 0));
      const zero = zeros ? code(zeros, bits, group) : 2 ** (bits - 1);
      weights[first * cols + i] = scale * (code(codes, bits, next) - zero);
      next += 1;
    }
  }
  return weights;
}

function float16(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  return exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
}

async function archiveOf(layer: LayerFixture): Promise<string> {
  const path = fresh('model.tamis');
  const others = safetensors({ bias: { dtype: 'F32', shape: [3], data: [1, -0, 3] } });
  const checkpoint = addon.Checkpoint.openFile(folder.write(`${count}-others.safetensors`, others));
  const model = addon.Checkpoint.openFile(folder.write(`${count}-same.safetensors`, layer.model));
  const writer = new addon.ArchiveWriter(path);
  writer.addFile('config.json', Buffer.from('{}'));
  await writer.addTensor(checkpoint, 'bias');
  await writer.addLayer(open(layer), control).catch((error: unknown) => Promise.reject(fromNative(error) as Error));
  expect(writer.position).toBeGreaterThan(0);
  await writer.finish();
  const sparse = new addon.ArchiveWriter(`${path}.sparse`);
  await sparse.addSparse(model, 'a.weight', control);
  await sparse.finish();
  return path;
}

test('an archive gives back what went in, to the addon and to a reader of the description', async () => {
  await fc.assert(
    fc.asyncProperty(layers, async (layer) => {
      const path = await archiveOf(layer);
      const archive = addon.Archive.open(path);
      expect(archive.sections().map(({ kind, name, bits }) => [kind, name, bits])).toEqual([
        ['file', 'config.json', undefined],
        ['tensor', 'bias', undefined],
        ['layer', 'a.weight', layer.bits],
      ]);
      expect(archive.readFile('config.json').toString()).toBe('{}');
      const sparse = addon.Archive.open(`${path}.sparse`);
      for (const from of [archive, sparse]) {
        const written = await dense(layer, (writer) => writer.unpackFrom({ name: 'a.weight' }, from, control));
        expect(written.equals(layer.dense)).toBe(true);
      }
      // Streamed: the index at the end is not there yet.
      const whole = readFileSync(path);
      const [file, bias, weight] = sectionsOf(whole.subarray(0, whole.length - 60));
      expect([file?.kind, bias?.kind, weight?.kind]).toEqual([1, 2, 3]);
      expect([...(bias?.payload ?? [])]).toEqual([...new Uint8Array(new Float32Array([1, -0, 3]).buffer)]);
      if (!weight) throw new Error('the layer is missing');
      const values = unpackLayer(weight.header, weight.payload);
      expect(Buffer.from(values.buffer).equals(layer.dense)).toBe(true);
    }),
    { numRuns: 40, seed: 2 },
  );
});

test('70 % pruned, 4 bits, symmetric, groups of 128: at most 2.35 bits a weight', async () => {
  const shape = { rows: 512, cols: 1024, bits: 4 as const, groupSize: 128 };
  const layer = quantizedLayer({ ...shape, symmetric: true, sparsity: 0.7, seed: 5 });
  const path = fresh('size.tamis');
  const writer = new addon.ArchiveWriter(path);
  await writer.addLayer(open(layer), control);
  await writer.finish();
  expect((readFileSync(path).length * 8) / (shape.rows * shape.cols)).toBeLessThanOrEqual(2.35);
});

const mutations = fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { minLength: 1, maxLength: 3 });

/** The code of what is thrown; `read` where nothing is. */
async function outcome(read: () => Promise<unknown>): Promise<string> {
  try {
    await read();
    return 'read';
  } catch (thrown) {
    const error = fromNative(thrown);
    if (error instanceof TamisError && error.code !== 'internal') return error.code;
    throw error;
  }
}

test('changed files are read or refused by name', async () => {
  const shape = { rows: 12, cols: 64, bits: 4 as const, groupSize: 32, symmetric: false, sparsity: 0.5 };
  const layer = quantizedLayer({ ...shape, seed: 3 });
  const [gptq, packQuantized] = [fresh('gptq'), fresh('pack-quantized')];
  await packed(layer, 'gptq_v2', gptq);
  await packed(layer, 'pack-quantized', packQuantized);
  type Read = (path: string) => { shape: number[]; unpack: (writer: addon.ShardWriter) => Promise<void> };
  const fromPacked = (read: addon.PackedLayer): ReturnType<Read> => ({
    shape: [read.rows, read.cols],
    unpack: (writer) => writer.unpack({ name: 'a.weight' }, read, 'F32', null, control),
  });
  const fromArchive: Read = (path) => {
    const archive = addon.Archive.open(path);
    return {
      shape: archive.sections().find(({ name }) => name === 'a.weight')?.shape ?? [],
      unpack: (writer) => writer.unpackFrom({ name: 'a.weight' }, archive, control),
    };
  };
  const seeds: [string, Read][] = [
    [await archiveOf(layer), fromArchive],
    [gptq, (path) => fromPacked(addon.PackedLayer.gptq(addon.Checkpoint.openFile(path), 'a', 4, 32, 'gptq_v2'))],
    [packQuantized, (path) => fromPacked(addon.PackedLayer.packQuantized(addon.Checkpoint.openFile(path), 'a', 4, 32))],
  ];
  const outcomes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...seeds), mutations, fc.boolean(), async ([seed, read], changes, isCut) => {
      const file = readFileSync(seed);
      for (const [at, value] of changes) file[at % file.length] = value;
      const end = isCut ? (changes[0]?.[0] ?? 0) % file.length : file.length;
      const path = folder.write(`${(count += 1)}-mutant`, file.subarray(0, end));
      const code = await outcome(async () => {
        const { shape: stated, unpack } = read(path);
        if (stated.join() === `${layer.rows},${layer.cols}`) await dense(layer, unpack);
      });
      expect(code).toMatch(/^(read$|checkpoint\.|pack\.|archive\.)/);
      outcomes.add(code);
    }),
    { numRuns: 600, seed: 4 },
  );
  expect(outcomes.size, [...outcomes].join()).toBeGreaterThanOrEqual(8);
});
