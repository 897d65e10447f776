import { statSync } from 'node:fs';

import { afterAll, describe, expect, test } from 'vitest';

import * as addon from '#native';

import { archiveBound, type BoundedSection } from '../../src/worker/formats/tamis/bound.ts';
import { quantizedLayer, randomFrom } from '../fixtures/quantized-layer.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';

/*
 * The bound against real archives, and against docs/formats.md: the bytes of every frame of every band, each stored as it is.
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

interface Layer {
  rows: number;
  cols: number;
  name: string;
  dtype: string;
  isKept(index: number): boolean;
}

/**
 * Bytes of an archive of one layer all of whose frames are stored as they are. `frames`: the bytes of a band's frames after the mask,
 * by its rows and its weights that are not zero.
 */
function largest(layer: Layer, frames: (rows: number, kept: number) => number[]): number {
  const { rows, cols, name, dtype } = layer;
  const height = Math.max(1, Math.floor(2 ** 18 / cols));
  let payload = 0;
  for (let top = 0; top < rows; top += height) {
    const band = Math.min(height, rows - top);
    const kept = keptOf(layer, top, band);
    for (const bytes of [Math.ceil((band * cols) / 8), ...frames(band, kept)]) payload += 5 + bytes;
  }
  const section = (dimensions: number, texts: string): number => 20 + 16 + 8 * dimensions + texts.length + 4;
  return 12 + section(2, name + dtype) + payload + section(1, 'index') + 10 + name.length + 8;
}

function keptOf({ rows, cols, isKept }: Pick<Layer, 'rows' | 'cols' | 'isKept'>, top = 0, height = rows): number {
  let kept = 0;
  for (let i = top * cols; i < (top + height) * cols; i += 1) if (isKept(i)) kept += 1;
  return kept;
}

/** Of one band, of two, of three that do not end on a byte, and of a row a band. A mask of as many ones as zeros takes most. */
const cases = [
  { rows: 409, cols: 640, bands: 1, sparsity: 0.5 },
  { rows: 410, cols: 640, bands: 2, sparsity: 0.5 },
  { rows: 1031, cols: 641, bands: 3, sparsity: 0.5 },
  { rows: 1031, cols: 641, bands: 3, sparsity: 0 },
  { rows: 2, cols: 2 ** 18 + 3, bands: 2, sparsity: 0.5 },
];

describe.each(cases)('$rows x $cols in $bands bands, $sparsity of them zero', ({ rows, cols, bands, sparsity }) => {
  test.each([2, 3, 4, 8] as const)('codes of %i bits', async (bits) => {
    const fixture = quantizedLayer({ rows, cols, bits, groupSize: 0, symmetric: false, sparsity, seed: bits });
    const [model, parameters] = [opened(fixture.model), opened(fixture.parameters)];
    const size = await archived((archive) =>
      archive.addLayer(addon.QuantizedLayer.open(model, parameters, { name: 'a' }, bits, 0), control),
    );
    const weights = new Float32Array(fixture.dense.buffer, fixture.dense.byteOffset, rows * cols);
    const layer = { rows, cols, name: 'a.weight', dtype: 'F32', isKept: (i: number) => weights[i] !== 0 };
    const worst = largest(layer, (band, kept) => [
      Math.ceil((kept * bits) / 8),
      band,
      band,
      Math.ceil((band * bits) / 8),
    ]);
    const coding = { bits, groupSize: cols, symmetric: false, isScattered: false };
    const bound = archiveBound([{ kind: 'codes', ...layer, kept: keptOf(layer), coding }]);
    expect(size).toBeLessThanOrEqual(worst);
    expect(worst).toBeLessThanOrEqual(bound);
    // Mask, codes and zero points of each band end on a byte.
    expect(bound - worst).toBeLessThanOrEqual(3 * bands);
  });

  test.each([
    { dtype: 'F32', size: 4 },
    { dtype: 'F16', size: 2 },
    { dtype: 'BF16', size: 2 },
  ])('values in $dtype', async ({ dtype, size: width }) => {
    const random = randomFrom(rows);
    const bytes = Buffer.alloc(rows * cols * width);
    for (let i = 0; i < rows * cols; i += 1) {
      if (random() < sparsity) continue;
      // Any bits but those of zero: no coder makes them smaller.
      for (let k = 0; k < width; k += 1) bytes[i * width + k] = 1 + Math.floor(random() * 255);
    }
    const model = opened(safetensors({ 'a.weight': { dtype, shape: [rows, cols], data: bytes } }));
    const size = await archived((archive) => archive.addSparse(model, 'a.weight', control));
    const layer = { rows, cols, name: 'a.weight', dtype, isKept: (i: number) => bytes[i * width] !== 0 };
    const worst = largest(layer, (_, kept) => Array.from({ length: width }, () => kept));
    const bound = archiveBound([{ kind: 'values', ...layer, kept: keptOf(layer), size: width }]);
    if (sparsity === 0.5) expect(size).toBe(worst);
    expect(size).toBeLessThanOrEqual(worst);
    expect(worst).toBeLessThanOrEqual(bound);
    expect(bound - worst).toBeLessThanOrEqual(bands);
  });
});

test('an archive of everything, the columns of groups listed', async () => {
  const [rows, cols, bits] = [300, 1024, 4];
  const order = Array.from({ length: cols }, (_, col) => (col * 7) % 32);
  const text = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * i * 31 + (i >> 3)) % 251));
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
