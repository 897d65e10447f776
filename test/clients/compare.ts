import { readFileSync } from 'node:fs';

import { expect } from 'vitest';

import { readTensors, type ReadTensor } from '../fixtures/read-safetensors.ts';

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

/** Fails where a tensor that a client has read is not that of the run, to the bit but for the sign of zero; returns how many there are. */
export function expectWeights(clients: string, run: string): number {
  const expected = readTensors(run);
  const read = readTensors(clients);
  const different = [...read].filter(([name, tensor]) => !areSame(tensor, expected.get(name))).map(([name]) => name);
  expect(different, `of ${read.size} tensors`).toEqual([]);
  return read.size;
}

function areSame(actual: ReadTensor, expected: ReadTensor | undefined): boolean {
  return (
    actual.dtype === expected?.dtype &&
    String(actual.shape) === String(expected.shape) &&
    withoutNegativeZeros(actual).equals(withoutNegativeZeros(expected))
  );
}

/** The tensor's bytes. */
function withoutNegativeZeros({ dtype, bytes }: ReadTensor): Buffer {
  const size = dtype === 'F32' ? 4 : 2;
  const result = Buffer.from(bytes);
  for (let end = size; end <= result.length; end += size) {
    const element = result.readUIntLE(end - size, size);
    if (element === 2 ** (8 * size - 1)) result.fill(0, end - size, end);
  }
  return result;
}
