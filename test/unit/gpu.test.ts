import { describe, expect, test } from 'vitest';

import { TamisError } from '../../src/contract/errors.ts';
import type { RunEvent } from '../../src/contract/events.ts';
import { newGram, useFactor, type Solver } from '../../src/worker/compress/solver.ts';
import { native } from '../../src/worker/native.ts';
import { tapsThatFit } from '../../src/worker/plan/gpu-memory.ts';
import { Devices, nothingGivenUp } from '../../src/worker/run/devices.ts';
import { firstThatWorks, type OpenGpu } from '../../src/worker/runtime/gpu.ts';

const GiB = 2 ** 30;
const lost = new TamisError('gpu.lost', { adapter: 'card', reason: 'reset' });

/** Of a class, without what it holds. */
function bare<T extends object>(type: { prototype: T }, own: object = {}): T {
  return Object.assign(Object.create(type.prototype) as T, own);
}

/** A GPU in name only: nothing may be computed on it. */
const card: OpenGpu = { name: 'card', driver: '1.0', memoryBytes: 8 * GiB, handle: bare(native.Gpu) };

describe('the GPU that auto comes to', () => {
  const adapters = [
    { name: 'broken', kind: 'discrete' },
    { name: 'small', kind: 'integrated' },
    { name: 'program', kind: 'software' },
  ];

  test('is the first that works; one that does not is told of', async () => {
    const tried: string[] = [];
    const warned: unknown[] = [];
    const attempt = async (name: string): Promise<void> => {
      tried.push(name);
      if (name === 'broken') throw new TamisError('gpu.not-usable', { adapter: name, reason: 'no queue' });
      await Promise.resolve();
    };
    const chosen = await firstThatWorks(adapters, attempt, (...warning) => warned.push(warning));
    expect(chosen).toBe('small');
    expect(tried).toEqual(['broken', 'small']);
    expect(warned).toEqual([['gpu.not-used', { adapter: 'broken', reason: 'no queue' }]]);
  });

  test('is never one in software', async () => {
    const works = async (): Promise<void> => await Promise.resolve();
    expect(await firstThatWorks(adapters.slice(2), works, () => undefined)).toBe('none');
  });
});

describe('what a run gives up', () => {
  const devices = (mayFallBack = true): Devices =>
    new Devices(
      { session: { device: 'cuda', threads: 2 }, gpu: card, tapsOnGpu: new Set() },
      mayFallBack,
      nothingGivenUp,
    );

  test.each(['gpu.lost', 'gpu.out-of-memory', 'gpu.failed'] as const)('%s: the GPU, once', (code) => {
    const run = devices();
    const error = new TamisError(code, { adapter: 'card', reason: 'reset' });
    expect(run.giveUp(error)).toEqual({ device: 'card', reason: 'reset' });
    expect(run).toMatchObject({ gpu: null, session: { device: 'cuda' }, givenUp: { device: false, gpu: true } });
    expect(run.giveUp(error)).toBeNull();
  });

  test('the device of forward passes, but never the CPU', () => {
    const run = devices();
    const error = new TamisError('device.failed', { device: 'cuda', reason: 'reset' });
    expect(run.giveUp(error)).toEqual({ device: 'cuda', reason: 'reset' });
    expect(run).toMatchObject({ gpu: card, session: { device: 'cpu', threads: 2 }, begunSession: { device: 'cuda' } });
    expect(run.giveUp(error)).toBeNull();
    // Embeddings are always looked up on the CPU.
    expect(devices().giveUp(new TamisError('device.failed', { device: 'cpu', reason: 'no memory' }))).toBeNull();
  });

  test('nothing where the recipe does not allow it, and for no other error', () => {
    expect(devices(false).giveUp(lost)).toBeNull();
    expect(devices().giveUp(new TamisError('factor.failed', { layer: 'fc1' }))).toBeNull();
    expect(devices().giveUp(new Error('gpu.lost'))).toBeNull();
  });
});

describe('what fits a GPU', () => {
  // OPT-66B's block: hidden 9216, MLP 36864.
  const layers = [
    ...['q', 'k', 'v'].map(() => ({ rows: 9216, cols: 9216, tap: 'attn_in' })),
    { rows: 9216, cols: 9216, tap: 'attn_out' },
    { rows: 36864, cols: 9216, tap: 'mlp_in' },
    { rows: 9216, cols: 36864, tap: 'mlp_mid' },
  ];

  test.each([
    [null, ['attn_in', 'attn_out', 'mlp_in', 'mlp_mid']],
    [80 * GiB, ['attn_in', 'attn_out', 'mlp_in', 'mlp_mid']],
    // Three Gram matrices of 0.63 GiB, a factor of 0.32 and twice the weights of fc1, 1.27 each: 4.75, of 70 % of the memory.
    [8 * GiB, ['attn_in', 'attn_out', 'mlp_in']],
    [6 * GiB, ['attn_in', 'attn_out']],
    [0.5 * GiB, []],
  ])('%s bytes: the narrow taps first', (memory, taps) => {
    expect([...tapsThatFit(layers, memory, 'sparsegpt')].sort()).toEqual(taps);
  });
});

describe('what the GPU refuses', () => {
  const told: RunEvent[] = [];
  const solver = (gpu: OpenGpu | null, taps: readonly string[]): Solver => ({
    devices: { gpu, tapsOnGpu: new Set(taps) },
    signal: new AbortController().signal,
    emit: (event) => told.push(event),
  });

  test('a tap without room is summed up on the CPU, and told of', async () => {
    const gram = await newGram(solver(card, ['narrow']), 'wide', 4, 'fc2');
    const control = new native.Control();
    await gram.add(Float32Array.of(1, 2, 3, 4), 1, control);
    expect((await native.factorize(gram, 1, 0.01, 'natural', false, control)).cols).toBe(4);
    expect(told.splice(0)).toEqual([
      { type: 'warning', code: 'gpu.layers-on-cpu', params: { layers: 'fc2', gpu: 'card' } },
    ]);
  });

  test.each(['gpu.too-large', 'gpu.pattern'])('%s: the same on the CPU, with the factor from there', async (code) => {
    let released = 0;
    const onCpu = bare(native.Factor, { release: () => (released += 1) });
    const factor = bare(native.Factor, { toCpu: async () => await Promise.resolve(onCpu) });
    const used: unknown[] = [];
    const result = await useFactor(solver(card, []), factor, 'fc1', async (by) => {
      used.push(by);
      if (by === factor) throw new Error(JSON.stringify({ code, params: { adapter: 'card' } }));
      return await Promise.resolve('done');
    });
    expect(result).toBe('done');
    expect(used).toEqual([factor, onCpu]);
    expect(released).toBe(1);
    expect(told.splice(0)).toHaveLength(1);
  });

  test('any other error stays one', async () => {
    const refused = useFactor(solver(card, []), bare(native.Factor), 'fc1', async () => await Promise.reject(lost));
    await expect(refused).rejects.toBe(lost);
  });
});
