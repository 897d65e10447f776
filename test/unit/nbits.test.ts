import { Tensor } from 'onnxruntime-node';
import { afterAll, expect, test } from 'vitest';

import { GraphBuilder, type PackedWeight } from '../../src/worker/graph/builder.ts';
import { linear } from '../../src/worker/graph/operations.ts';
import { native } from '../../src/worker/native.ts';
import { Session } from '../../src/worker/runtime/session.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('nbits');
afterAll(folder.remove);

/** A pattern of whole numbers below `limit`. */
const whole = (count: number, limit: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(Math.abs(Math.sin(i * 12.9898 + seed) * 43758.5453)) % limit);
const real = (count: number, seed: number): number[] => whole(count, 2001, seed).map((n) => Math.fround(n / 1000 - 1));

/** Values of `bits` bits one after another, the first in the lowest bits, in rows of whole bytes. */
function pack(rows: number[][], bits: number): Uint8Array {
  const rowBytes = Math.ceil(((rows[0]?.length ?? 0) * bits) / 8);
  const bytes = new Uint8Array(rows.length * rowBytes);
  for (const [r, row] of rows.entries()) {
    for (const [i, value] of row.entries()) {
      const at = r * rowBytes + Math.floor((i * bits) / 8);
      bytes[at] = (bytes[at] ?? 0) | (value << ((i * bits) % 8));
    }
  }
  return bytes;
}

const shapes = [
  { bits: 4, block: 32, cols: 96, zeros: true },
  { bits: 4, block: 128, cols: 200, zeros: true },
  { bits: 4, block: 64, cols: 64, zeros: false },
  { bits: 4, block: 128, cols: 40, zeros: false },
  { bits: 8, block: 32, cols: 80, zeros: true },
  { bits: 8, block: 128, cols: 128, zeros: false },
  { bits: 2, block: 64, cols: 192, zeros: true },
  { bits: 2, block: 32, cols: 50, zeros: false },
];

test.each(shapes)('a layer of $bits bits, $cols columns in blocks of $block, zero points: $zeros', async (shape) => {
  const { bits, block, cols, zeros } = shape;
  const [rows, tokens] = [5, 3];
  const blocks = Math.ceil(cols / block);
  const codes = whole(rows * blocks * block, 2 ** bits, bits);
  const scales = real(rows * blocks, 2).map((s) => Math.fround(Math.abs(s) + 0.01));
  const zeroPoints = zeros ? whole(rows * blocks, 2 ** bits, 3) : scales.map(() => 2 ** (bits - 1));
  const [x, bias] = [real(tokens * cols, 4), real(rows, 5)];
  const rowsOf = <T>(values: T[], width: number): T[][] =>
    Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));
  const packedZeros = pack(rowsOf(zeroPoints, blocks), bits);
  const file = folder.write(
    `${bits}-${block}-${cols}.safetensors`,
    safetensors({
      codes: { dtype: 'U8', shape: [rows, blocks, (block * bits) / 8], data: pack(rowsOf(codes, block), bits) },
      scales: { dtype: 'F32', shape: [rows, blocks], data: scales },
      zeros: { dtype: 'U8', shape: [rows, packedZeros.length / rows], data: packedZeros },
      bias: { dtype: 'F32', shape: [rows], data: bias },
    }),
  );
  const parts = { codes: 'codes', scales: 'scales', ...(zeros && { zeroPoints: 'zeros' }) };
  const packed: PackedWeight = { rows, cols, bits, blockSize: block, parts };
  const weights = new Map(
    native.Checkpoint.openFile(file)
      .tensors()
      .map((info) => [info.name, info]),
  );
  const g = new GraphBuilder(weights, new Map([['w', packed]]));
  g.output('y', linear(g, g.input('x', 'float32', ['tokens', cols]), 'w', { bias: 'bias' }));
  await using session = await Session.open(g.build(), { device: 'cpu', threads: 1 });
  const y = new Float32Array(tokens * rows);
  const input = new Tensor('float32', Float32Array.from(x), [tokens, cols]);
  await session.run({ x: input }, { y: new Tensor('float32', y, [tokens, rows]) });

  const expected = Array.from({ length: tokens * rows }, (_, i) => {
    const [token, row] = [Math.floor(i / rows), i % rows];
    let sum = bias[row] ?? NaN;
    for (let col = 0; col < cols; col++) {
      const group = row * blocks + Math.floor(col / block);
      const code = codes[row * blocks * block + col] ?? NaN;
      sum += (x[token * cols + col] ?? NaN) * (scales[group] ?? NaN) * (code - (zeroPoints[group] ?? NaN));
    }
    return sum;
  });
  const range = Math.max(...expected.map(Math.abs));
  for (const [i, value] of expected.entries())
    expect(Math.abs((y[i] ?? NaN) - value) / range, `${y[i]} for ${value}`).toBeLessThan(1e-6);
});
