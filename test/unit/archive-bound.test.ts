import { statSync } from 'node:fs';

import { afterAll, describe, expect, test } from 'vitest';

import * as addon from '#native';

import { archiveBound, type BoundedSection } from '../../src/worker/formats/tamis/bound.ts';
import { quantizedLayer, randomFrom } from '../fixtures/quantized-layer.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';

/*
 * Archives of what no coder makes smaller: so every frame is stored as it is, and the archive comes as near to its bound as the
 * rounding of bits to bytes lets it.
 */

const folder = testFolder('archive-bound');
afterAll(folder.remove);
const control = new addon.Control();

let count = 0;
async function archived(fill: (archive: addon.ArchiveWriter) => Promise<void>): Promise<number> {
  const path = `${folder.path}/${(count += 1)}.tamis`;
  const archive = new addon.ArchiveWriter(path);
  await fill(archive);
  await archive.finish();
  return statSync(path).size;
}

function opened(file: Buffer): addon.Checkpoint {
  return addon.Checkpoint.openFile(folder.write(`${(count += 1)}.safetensors`, file));
}

/** Rows and columns with the bands that docs/formats.md cuts them into: 2^18 weights at most, where that is a row or more. */
const shapes = [
  { rows: 1, cols: 1, bands: 1 },
  { rows: 409, cols: 640, bands: 1 },
  { rows: 410, cols: 640, bands: 2 },
  { rows: 1637, cols: 641, bands: 5 },
  { rows: 37, cols: 2 ** 16 + 1, bands: 13 },
  { rows: 3, cols: 2 ** 18 + 3, bands: 3 },
];
const widths = [2, 3, 4, 8] as const;
/** A mask of as many ones as zeros is the one that takes most; without zeros there are most values. */
const sparsities = [0, 0.5];

const cases = shapes.flatMap((shape) => sparsities.map((sparsity) => ({ ...shape, sparsity })));

describe.each(cases)('$rows x $cols in $bands bands, $sparsity of them zero', ({ rows, cols, bands, sparsity }) => {
  test.each(widths)('codes of %i bits', async (bits) => {
    const layer = quantizedLayer({ rows, cols, bits, groupSize: 0, symmetric: false, sparsity, seed: bits });
    const [model, parameters] = [opened(layer.model), opened(layer.parameters)];
    const size = await archived((archive) =>
      archive.addLayer(addon.QuantizedLayer.open(model, parameters, { name: 'a' }, bits, 0), control),
    );
    const weights = new Float32Array(layer.dense.buffer, layer.dense.byteOffset, rows * cols);
    const kept = weights.reduce((sum, weight) => sum + (weight === 0 ? 0 : 1), 0);
    const coding = { bits, groupSize: cols, symmetric: false, isScattered: false };
    const bound = archiveBound([{ kind: 'codes', name: 'a.weight', dtype: 'F32', rows, cols, kept, coding }]);
    expect(size).toBeLessThanOrEqual(bound);
    // Mask, codes and zero points of each band end on a byte; and a small frame of scales may become a little smaller.
    if (sparsity === 0.5) expect(bound - size).toBeLessThanOrEqual(6 * bands + Math.ceil(rows / 4));
  });

  test.each([
    { dtype: 'F32', size: 4 },
    { dtype: 'F16', size: 2 },
    { dtype: 'BF16', size: 2 },
  ])('values in $dtype', async ({ dtype, size: width }) => {
    const random = randomFrom(rows);
    const bytes = Buffer.alloc(rows * cols * width);
    let kept = 0;
    for (let i = 0; i < rows * cols; i += 1) {
      if (random() < sparsity) continue;
      kept += 1;
      // Any bits but those of zero.
      for (let k = 0; k < width; k += 1) bytes[i * width + k] = 1 + Math.floor(random() * 255);
    }
    const model = opened(safetensors({ 'a.weight': { dtype, shape: [rows, cols], data: bytes } }));
    const size = await archived((archive) => archive.addSparse(model, 'a.weight', control));
    const bound = archiveBound([{ kind: 'values', name: 'a.weight', dtype, rows, cols, kept, size: width }]);
    expect(size).toBeLessThanOrEqual(bound);
    if (sparsity === 0.5) expect(bound - size).toBeLessThanOrEqual(2 * bands);
  });
});

test('an archive of everything, the columns of groups listed', async () => {
  const [rows, cols, bits] = [300, 1024, 4];
  const order = Array.from({ length: cols }, (_, col) => (col * 7) % 32);
  const text = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * i * 31 + (i >> 3)) % 251));
  const random = randomFrom(5);
  const random = randomFrom(5);
  // Each group has a zero point of its own, so that all codes are as frequent.
  const zeros = Array.from({ length: rows * 32 }, () => Math.floor(random() * 16));
  const weights = Float32Array.from({ length: rows * cols }, (_, i) => {
    const zero = zeros[Math.floor(i / cols) * 32 + (order[i % cols] ?? 0)] ?? 0;
    return random() < 0.5 ? 0 : Math.floor(random() * 16) - zero;
  });
  const kept = weights.reduce((sum, weight) => sum + (weight === 0 ? 0 : 1), 0);
  // + 0: a zero is never a negative one.
  const data = Buffer.from(weights.map((weight) => weight + 0).buffer);
  const model = opened(
    safetensors({
      'a.weight': { dtype: 'F32', shape: [rows, cols], data },
      norm: { dtype: 'F32', shape: [16, 64, 3], data: Array.from({ length: 3072 }, random) },
    }),
  );
  const parameters = opened(
    safetensors({
      'a.scales': { dtype: 'F16', shape: [rows, 32], data: zeros.map(() => 1) },
      'a.zeros': { dtype: 'U8', shape: [rows, 32], data: zeros },
      'a.g_idx': { dtype: 'I32', shape: [cols], data: order },
    }),
  );
  const size = await archived(async (archive) => {
    archive.addFile('config.json', text);
    await archive.addTensor(model, 'norm');
    await archive.addLayer(addon.QuantizedLayer.open(model, parameters, { name: 'a' }, bits, cols / 32), control);
  });
  const sections: BoundedSection[] = [
    { kind: 'file', name: 'config.json', bytes: text.length },
    { kind: 'tensor', name: 'norm', dtype: 'F32', dimensions: 3, bytes: 4 * 3072 },
    {
      kind: 'codes',
      name: 'a.weight',
      dtype: 'F32',
      rows,
      cols,
      kept,
      coding: { bits, groupSize: cols / 32, symmetric: false, isScattered: true },
    },
  ];
  expect(size).toBeLessThanOrEqual(archiveBound(sections));
});
