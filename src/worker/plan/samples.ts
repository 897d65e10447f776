import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';

import type { Model } from '../model/open.ts';
import { native, translated, type Checkpoint } from '../native.ts';
import type { LayerShape } from '../model/costs.ts';

/** The name of the random layer's tensor. */
export const LAYER = 'layer.weight';

/** Random bits between sign and exponent of 0.5: values of ±[0.5, 1), by dtype. */
const masks = { F32: [0x807fffff, 0x3f000000], F16: [0x83ff, 0x3800], BF16: [0x807f, 0x3f00] } as const;

/** A .safetensors file with one layer of random weights. */
export function randomLayer(
  path: string,
  { rows, cols }: Pick<LayerShape, 'rows' | 'cols'>,
  dtype: Model['dtype'],
): Checkpoint {
  const bits = dtype === 'F32' ? new Uint32Array(rows * cols) : new Uint16Array(rows * cols);
  const [kept, exponent] = masks[dtype];
  randomFillSync(bits);
  for (let i = 0; i < bits.length; i++) bits[i] = ((bits[i] ?? 0) & kept) | exponent;
  const entry = { dtype, shape: [rows, cols], data_offsets: [0, bits.byteLength] };
  const json = JSON.stringify({ [LAYER]: entry });
  const header = Buffer.from(json.padEnd(8 * Math.ceil(json.length / 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([length, header, new Uint8Array(bits.buffer)]));
  return native.Checkpoint.openFile(path);
}

/** Values of ±[0.5, 1). */
export function noise(count: number): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(count);
  randomFillSync(bits);
  const [kept, exponent] = masks.F32;
  for (let i = 0; i < count; i++) bits[i] = ((bits[i] ?? 0) & kept) | exponent;
  return new Float32Array(bits.buffer);
}

export async function timed<T>(work: () => T | Promise<T>): Promise<{ seconds: number; value: T }> {
  const start = performance.now();
  const value = await translated(work);
  return { seconds: (performance.now() - start) / 1000, value };
}

/** Seconds of the better of two: the first one fills caches. */
export async function best(work: () => Promise<unknown>): Promise<number> {
  const first = await timed(work);
  return Math.min(first.seconds, (await timed(work)).seconds);
}
