import { readFileSync } from 'node:fs';

import { expect } from 'vitest';

import { numbersOf, readTensors, type ReadTensor } from '../fixtures/read-safetensors.ts';

/** Float32 numbers as a client has written them. */
export function readFloats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/**
 * Mean over positions of KL(p ‖ q) in nats, of the distributions that two models' logits stand for.
 * @param p,q [positions, vocab]
 */
export function meanKl(p: Float32Array, q: Float32Array, vocab: number): number {
  if (p.length !== q.length) return Infinity;
  let sum = 0;
  for (let start = 0; start < p.length; start += vocab) {
    const logP = logSoftmax(p.subarray(start, start + vocab));
    const logQ = logSoftmax(q.subarray(start, start + vocab));
    sum += logP.reduce((kl, log, i) => kl + Math.exp(log) * (log - (logQ[i] ?? NaN)), 0);
  }
  return sum / (p.length / vocab);
}

function logSoftmax(logits: Float32Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b));
  const logSum = max + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0));
  return Float64Array.from(logits, (logit) => logit - logSum);
}

/**
 * Fails where a tensor that a client has read is not that of the run: its entries may differ by `share` of the range of the run's.
 * Returns how many tensors were read, and the largest such share.
 */
export function expectWeights(clients: string, run: string, share = 0): { tensors: number; difference: number } {
  const expected = readTensors(run);
  const read = [...readTensors(clients)].map(([name, tensor]) => ({
    name,
    of: difference(tensor, expected.get(name)),
  }));
  expect(read.filter(({ of }) => !(of <= share))).toEqual([]);
  return { tensors: read.length, difference: read.reduce((worst, { of }) => Math.max(worst, of), 0) };
}

/** The largest difference of two entries, relative to the range of `expected`; of tensors of another dtype or shape, infinite. */
function difference(actual: ReadTensor, expected: ReadTensor | undefined): number {
  if (actual.dtype !== expected?.dtype || String(actual.shape) !== String(expected.shape)) return Infinity;
  const [found, wanted] = [numbersOf(actual), numbersOf(expected)];
  const worst = wanted.reduce((max, value, i) => Math.max(max, Math.abs(value - (found[i] ?? NaN))), 0);
  if (worst === 0) return 0;
  return worst / (wanted.reduce((a, b) => Math.max(a, b)) - wanted.reduce((a, b) => Math.min(a, b)));
}
