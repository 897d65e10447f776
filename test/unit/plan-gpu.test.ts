import { describe, expect, it } from 'vitest';

import { quantizationSchema } from '../../src/contract/recipe.ts';
import type { LayerShape } from '../../src/worker/model/costs.ts';
import { constants } from '../../src/worker/native.ts';
import { factorTerm, gramTerm, solveTerm, statisticsTerm, type Term } from '../../src/worker/plan/gpu-costs.ts';
import { gpuBytes, gpuShare, layersOnCpu, tapsThatFit } from '../../src/worker/plan/gpu-memory.ts';
import { gpuCap, shareOf } from '../../src/worker/plan/measure-gpu.ts';
import { stageMemory } from '../../src/worker/plan/memory.ts';
import type { Rates, SolverRates } from '../../src/worker/plan/rates.ts';
import { stageSeconds } from '../../src/worker/plan/seconds.ts';
import type { ModelShape, NamedLayer } from '../../src/worker/model/shape.ts';
import type { Workload } from '../../src/worker/plan/workload.ts';
import { pruning } from '../fixtures/workload.ts';

/** A GPU that computes one multiply-add after the other and counts them, and what goes to it and comes back. */
class CountingGpu {
  multiplyAdds = 0;
  up = 0;
  down = 0;

  /** a + b c */
  multiplyAdd(a: number, b: number, c: number): number {
    this.multiplyAdds += 1;
    return a + b * c;
  }

  send(values: Float32Array): Float32Array {
    this.up += values.byteLength;
    return values.slice();
  }

  fetch(values: Float32Array): Float32Array {
    this.down += values.byteLength;
    return values.slice();
  }
}

const N = 128;
const ROWS = 64;
const TOKENS = 160;

/** Reproducible values of -1 to 1. */
function values(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1 + i * i * 0.37 + i));
}

/** The entry of a square matrix of `N` columns. */
const at = (matrix: Float64Array | Float32Array, row: number, col: number): number => matrix[row * N + col] ?? NaN;

/** The upper triangle of XᵀX of taps that are sent. */
function gram(gpu: CountingGpu, taps: Float32Array): Float64Array {
  const x = gpu.send(taps);
  const sums = new Float64Array(N * N);
  for (let token = 0; token < TOKENS; token++)
    for (let i = 0; i < N; i++)
      for (let j = i; j < N; j++) sums[i * N + j] = gpu.multiplyAdd(at(sums, i, j), at(x, token, i), at(x, token, j));
  return sums;
}

/**
 * U, upper triangular with UᵀU = H⁻¹: the Cholesky factor L of H with rows and columns reversed, inverted, reversed back. Both parts
 * of the diagonal are fetched, the damped one is sent with the order, and U's diagonal is fetched.
 */
function factor(gpu: CountingGpu, sums: Float64Array): { u: Float64Array; diagonal: Float32Array } {
  const inFirst = Float32Array.from({ length: N }, (_, i) => at(sums, i, i));
  gpu.fetch(inFirst);
  gpu.fetch(Float32Array.from(inFirst, (value, i) => at(sums, i, i) - value));
  const damped = gpu.send(Float32Array.from({ length: N }, (_, i) => at(sums, i, i) * 1.01));
  gpu.send(new Float32Array(new Uint32Array(N).buffer));
  const hessian = (i: number, j: number): number =>
    i === j ? (damped[N - 1 - i] ?? NaN) : at(sums, N - 1 - Math.max(i, j), N - 1 - Math.min(i, j));
  const l = new Float64Array(N * N);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = hessian(i, j);
      for (let k = 0; k < j; k++) rest = gpu.multiplyAdd(rest, -at(l, i, k), at(l, j, k));
      l[i * N + j] = i === j ? Math.sqrt(rest) : rest / at(l, j, j);
    }
  }
  const inverse = new Float64Array(N * N);
  for (let j = 0; j < N; j++) {
    inverse[j * N + j] = 1 / at(l, j, j);
    for (let i = j + 1; i < N; i++) {
      let rest = 0;
      for (let k = j; k < i; k++) rest = gpu.multiplyAdd(rest, -at(l, i, k), at(inverse, k, j));
      inverse[i * N + j] = rest / at(l, i, i);
    }
  }
  const u = inverse.toReversed();
  return { u, diagonal: gpu.fetch(Float32Array.from({ length: N }, (_, i) => at(u, i, i))) };
}

/**
 * A sweep over weights that are there: of every column that is pruned the error goes to all columns after it. U's diagonal is sent,
 * the errors' squares of every row are fetched, one sum for each 64 columns.
 * @returns the squared error
 */
function sweep(
  gpu: CountingGpu,
  weights: Float32Array,
  { u, diagonal }: ReturnType<typeof factor>,
  isPruned: (row: number, col: number) => boolean,
): number {
  const pivots = gpu.send(diagonal);
  const squares = new Float32Array(ROWS * (N / 64));
  for (let col = 0; col < N; col++) {
    for (let row = 0; row < ROWS; row++) {
      const error = isPruned(row, col) ? at(weights, row, col) / (pivots[col] ?? NaN) : 0;
      if (isPruned(row, col)) weights[row * N + col] = 0;
      const sum = row * (N / 64) + Math.floor(col / 64);
      squares[sum] = (squares[sum] ?? NaN) + error * error;
      for (let later = col + 1; later < N; later++)
        weights[row * N + later] = gpu.multiplyAdd(at(weights, row, later), -error, at(u, col, later));
    }
  }
  return gpu.fetch(squares).reduce((a, b) => a + b, 0);
}

/** What a task costs, by its counters; `work` gets the GPU and what it made before, uncounted. */
function counted(work: (gpu: CountingGpu) => void): Pick<Term, 'operations' | 'up' | 'down'> {
  const gpu = new CountingGpu();
  work(gpu);
  return { operations: 2 * gpu.multiplyAdds, up: gpu.up, down: gpu.down };
}

describe('the terms of a block on a GPU are those of the plain algorithms', () => {
  const sums = gram(new CountingGpu(), values(TOKENS * N));
  const ready = factor(new CountingGpu(), sums);
  const layer = { rows: ROWS, cols: N };
  /** But for terms of lower order, of one column in N. */
  const expectOperations = (term: Term, expected: number): void =>
    expect(Math.abs(term.operations / expected - 1)).toBeLessThan(1.5 / N);

  it('of a Gram matrix', () => {
    const { up, down, operations } = counted((gpu) => gram(gpu, values(TOKENS * N)));
    expect(gramTerm(N, TOKENS)).toEqual({ operations, up, down, stored: 0 });
  });

  it('of a factor, which is right', () => {
    for (const [i, j] of [
      [0, 0],
      [5, 90],
      [127, 127],
      [40, 41],
    ] as const) {
      // (UᵀU) H = 1
      let entry = 0;
      for (let k = 0; k < N; k++) {
        let inverse = 0;
        for (let m = 0; m <= Math.min(i, k); m++) inverse += at(ready.u, m, i) * at(ready.u, m, k);
        entry += inverse * (k === j ? 1.01 * at(sums, j, j) : at(sums, Math.min(k, j), Math.max(k, j)));
      }
      expect(entry).toBeCloseTo(i === j ? 1 : 0, 5);
    }
    const { operations, up, down } = counted((gpu) => factor(gpu, sums));
    const term = factorTerm(N);
    expectOperations(term, operations);
    expect(term).toMatchObject({ up, down, stored: 0 });
  });

  it('of pruning by SparseGPT: a sweep for the energy, one that prunes, and the weights back', () => {
    const { operations, up, down } = counted((gpu) => {
      sweep(gpu, gpu.send(values(ROWS * N)), ready, () => true);
      const weights = gpu.send(values(ROWS * N));
      sweep(gpu, weights, ready, (row, col) => (row + col) % 2 === 0);
      gpu.fetch(weights);
    });
    const term = solveTerm(layer, { method: 'sparsegpt', quantization: null });
    expectOperations(term, operations);
    expect(term).toMatchObject({ up, down, stored: ROWS * N });
  });

  it('of quantizing: the groups of the columns up, scales and zero points down', () => {
    const recipe = { method: 'sparsegpt' as const, quantization: quantizationSchema.parse({ bits: 4, groupSize: 32 }) };
    const { up, down } = counted((gpu) => {
      for (let sweeps = 0; sweeps < 2; sweeps++) {
        gpu.send(values(ROWS * N));
        gpu.send(ready.diagonal);
        gpu.fetch(new Float32Array(ROWS * (N / 64)));
      }
      gpu.send(new Float32Array(N));
      // One block of 128 columns.
      gpu.send(new Float32Array(N));
      gpu.fetch(values(ROWS * N));
      gpu.fetch(new Float32Array(ROWS * 4));
      gpu.fetch(new Float32Array(ROWS * 4));
    });
    expect(solveTerm(layer, recipe)).toMatchObject({ up, down });
  });

  it('of Wanda: two sweeps for the energies of the output and of what it loses', () => {
    const { operations, up, down } = counted((gpu) => {
      for (const _energy of ['dense', 'lost']) sweep(gpu, gpu.send(values(ROWS * N)), ready, () => true);
    });
    const term = solveTerm(layer, { method: 'wanda', quantization: null });
    expectOperations(term, operations);
    expect(term).toMatchObject({ up, down });
  });

  it('of statistics: counts of saliencies in bins, then of each value in those of the curve, and one sweep', () => {
    const { operations, up, down } = counted((gpu) => {
      const weights = gpu.send(values(ROWS * N));
      gpu.send(ready.diagonal);
      for (const _count of ['how many', 'sums', 'carries']) gpu.fetch(new Float32Array(2 ** 15));
      gpu.send(ready.diagonal);
      gpu.send(new Float32Array(2 ** 15));
      // Every twentieth but the first and the last ends inside a bin.
      for (let point = 1; point < 20; point++) gpu.fetch(new Float32Array(2 ** 16));
      sweep(gpu, weights, ready, () => true);
    });
    const term = statisticsTerm(layer);
    expectOperations(term, operations);
    expect(term).toMatchObject({ up, down });
  });
});

/** OPT's block, or BLOOM's, whose three projections are one layer: six or four layers of four taps, `12 h²` weights. */
function decoder(size: { hidden: number; blocks: number; vocab: number; isFused: boolean }): ModelShape {
  const { hidden, blocks, vocab, isFused } = size;
  const layer = (name: string, rows: number, cols: number, tap: string): NamedLayer => ({ name, rows, cols, tap });
  const projections = isFused
    ? [layer('query_key_value', 3 * hidden, hidden, 'attn_in')]
    : ['q_proj', 'k_proj', 'v_proj'].map((name) => layer(name, hidden, hidden, 'attn_in'));
  const parameters = blocks * 12 * hidden ** 2 + vocab * hidden;
  return {
    blocks,
    hidden,
    vocab,
    width: hidden,
    vocabularyRows: vocab,
    vocabularyPasses: 1,
    parameters,
    bytes: 2 * parameters,
    weightBytes: 2,
    layers: [
      ...projections,
      layer('out_proj', hidden, hidden, 'attn_out'),
      layer('fc1', 4 * hidden, hidden, 'mlp_in'),
      layer('fc2', hidden, 4 * hidden, 'mlp_mid'),
    ],
    otherElements: 13 * hidden,
  };
}

const opt66b = decoder({ hidden: 9216, blocks: 64, vocab: 50272, isFused: false });
const bloom176b = decoder({ hidden: 14336, blocks: 70, vocab: 250880, isFused: true });

const allTaps = new Set(['attn_in', 'attn_out', 'mlp_in', 'mlp_mid']);
const work: Workload = { ...pruning, gpu: { taps: allTaps, prunes: true } };

const sizes = ['2048x4096', '8192x8192', '2048x2048'];
/** The same number for everything of a kind. */
function solver(each: Readonly<Record<keyof SolverRates, number>>): SolverRates {
  const record = (keys: readonly string[], value: number): Record<string, number> =>
    Object.fromEntries(keys.map((key) => [key, value]));
  const [taps, { gram, factor, statistics, solve, sweep, invert, iterate }] = [['4096', '8192', '2048'], each];
  return {
    gram: record(taps, gram),
    factor: record(taps, factor),
    statistics: record(sizes, statistics),
    solve: record(sizes, solve),
    sweep: record(sizes, sweep),
    invert: record(taps, invert),
    iterate: record(sizes, iterate),
  };
}

const rates: Rates = {
  ...solver({
    gram: 1e12,
    factor: 0.3e12,
    statistics: 0.3e12,
    solve: 0.4e12,
    sweep: 0.4e12,
    invert: 0.2e12,
    iterate: 2e12,
  }),
  forward: { 2048: 2e13 },
  head: 2e13,
  spectrum: 1e10,
  divergence: 1e9,
  open: 2e9,
  hash: 1e9,
  scan: 4e9,
  read: 3e9,
  write: 1.5e9,
  gpu: {
    gemm: 1.5e13,
    transfer: 1e10,
    store: 5e8,
    cap: { rows: 8192, cols: 8192 },
    shares: solver({ gram: 0.9, factor: 0.4, statistics: 0.5, solve: 0.6, sweep: 0.6, invert: 0.4, iterate: 0.9 }),
  },
};

describe.each([
  ['OPT-66B', opt66b],
  ['BLOOM-176B', bloom176b],
] as const)('the seconds of %s', (_, shape) => {
  const { hidden: h, blocks } = shape;
  const tokens = 128 * 2048;
  const planned: Workload = { ...work, blocks };
  // A block's layers have 12 h² weights and, behind the last tap, 4 h². Squares: twice a float32 for each 64.
  const forward = 128 * (2 * 2048 * 12 * h ** 2 + 4 * 2048 ** 2 * h);
  const taps = 128 * (2 * 2048 * 8 * h ** 2 + 4 * 2048 ** 2 * h);
  const activations = 4 * tokens * h;
  // Three taps of h columns and one of 4 h.
  const grams = {
    operations: tokens * (3 * h * (h + 1) + 4 * h * (4 * h + 1)),
    bytes: 4 * tokens * 7 * h,
  };
  // n³ of the taps: 3 + 64.
  const factors = { operations: (2 / 3) * 67 * h ** 3, bytes: 20 * 7 * h };
  // rows * cols²: 4 h³ of attention, 4 h³ of fc1, 16 h³ of fc2.
  const onGpu =
    grams.operations / (0.9 * 1.5e13) + factors.operations / (0.4 * 1.5e13) + (grams.bytes + factors.bytes) / 1e10;

  it('of compressing, on a GPU with room for all', () => {
    const columns = h * (shape.layers.length - 1) + 4 * h;
    const bytes = 4 * (2 * 12 * h ** 2 + 2 * columns + 12 * h ** 2 + (2 * 12 * h ** 2) / 64);
    const solving = (48 * h ** 3) / (0.6 * 1.5e13) + bytes / 1e10 + (12 * h ** 2) / 5e8;
    const block = onGpu + solving + (2 * 24 * h ** 2) / 2e9 + activations * (2 / 3e9 + 1 / 1.5e9);
    const all = (blocks * taps + (blocks - 1) * forward) / 2e13 + blocks * block + shape.bytes / 1.5e9;
    expect(stageSeconds(shape, planned, 'compress', rates) / all).toBeCloseTo(1, 9);
  });

  it('of compressing by ADMM: products and inverses there, the layer up four times and down', () => {
    const admm = stageSeconds(shape, { ...planned, method: 'admm' }, 'compress', rates);
    const attention = shape.layers.length === 6 ? 4 : 2;
    // Inverses for each layer: all but fc2 read h columns.
    const { iterations, penalties, polish, refinements } = constants.method.admm;
    const inverses = penalties * ((attention + 1) * h ** 3 + 64 * h ** 3);
    const products = (iterations + polish + 3) * 2 * (4 + 4 + 16) * h ** 3;
    const solving =
      inverses / (0.4 * 1.5e13) + products / (0.9 * 1.5e13) + (20 * 12 * h ** 2) / 1e10 + (12 * h ** 2) / 5e8;
    const block = onGpu + solving + (2 * 24 * h ** 2) / 2e9 + activations * (2 / 3e9 + 1 / 1.5e9);
    const all = (blocks * taps + (blocks - 1) * forward) / 2e13 + blocks * block + shape.bytes / 1.5e9;
    expect(admm / all).toBeCloseTo(1, 9);
    // Only quantized: no inverses; twice for the energies, once each with what it lost and for its codes; the sweep beside it.
    const quantization = quantizationSchema.parse({ bits: 4 });
    const sweeping = { ...planned, quantization };
    const quantizing = { ...sweeping, method: 'admm' as const, isPruned: false };
    const more = stageSeconds(shape, quantizing, 'compress', rates) - stageSeconds(shape, sweeping, 'compress', rates);
    const own = (2 + 1 + refinements) * 2 * (4 + 4 + 16) * h ** 3;
    const added = own / (0.9 * 1.5e13) + (20 * 12 * h ** 2) / 1e10 + (12 * h ** 2) / 5e8;
    expect(more / (blocks * added)).toBeCloseTo(1, 6);
  });

  it('of estimating', () => {
    const columns = h * (shape.layers.length - 1) + 4 * h;
    const counts = shape.layers.length * 4 * (3 * 2 ** 15 + 19 * 2 ** 16);
    const bytes = 4 * (12 * h ** 2 + 3 * columns + shape.layers.length * 2 ** 15) + counts + (4 * 12 * h ** 2) / 64;
    const statistics = (24 * h ** 3) / (0.5 * 1.5e13) + bytes / 1e10 + (6 * h ** 2) / 5e8;
    const block = onGpu + statistics + (24 * h ** 2) / 2e9 + (2 * activations) / 3e9;
    const all = ((blocks - 1) * forward + taps) / 2e13 + blocks * block;
    expect(stageSeconds(shape, planned, 'estimate', rates) / all).toBeCloseTo(1, 9);
  });

  it('of compressing, when the widest tap is left to the CPU', () => {
    const narrow: Workload = { ...planned, gpu: { taps: new Set(['attn_in', 'attn_out', 'mlp_in']), prunes: true } };
    const more = stageSeconds(shape, narrow, 'compress', rates) - stageSeconds(shape, planned, 'compress', rates);
    const wide = 4 * h;
    const onCpu = (tokens * wide * (wide + 1)) / 1e12 + ((2 / 3) * wide ** 3) / 0.3e12 + (2 * h * wide ** 2) / 0.4e12;
    const there =
      (tokens * wide * (wide + 1)) / (0.9 * 1.5e13) +
      ((2 / 3) * wide ** 3) / (0.4 * 1.5e13) +
      (2 * h * wide ** 2) / (0.6 * 1.5e13) +
      (4 * tokens * wide + 20 * wide + 4 * (3 * h * wide + 2 * wide + (2 * h * wide) / 64)) / 1e10 +
      (h * wide) / 5e8;
    expect(more / (blocks * (onCpu - there))).toBeCloseTo(1, 6);
  });

  it('of compressing in a pattern that the GPU does not know: factors are fetched for each layer, and the CPU sweeps', () => {
    const wide: Workload = { ...planned, gpu: { taps: allTaps, prunes: false } };
    const bytes = 4 * h ** 2 * (shape.layers.length - 1) + 4 * (4 * h) ** 2;
    const block =
      onGpu + bytes / 1e10 + (48 * h ** 3) / 0.4e12 + (2 * 24 * h ** 2) / 2e9 + activations * (2 / 3e9 + 1 / 1.5e9);
    const all = (blocks * taps + (blocks - 1) * forward) / 2e13 + blocks * block + shape.bytes / 1.5e9;
    expect(stageSeconds(shape, wide, 'compress', rates) / all).toBeCloseTo(1, 9);
  });

  it('of the rest as without a GPU', () => {
    for (const stage of ['fingerprint', 'evaluate-dense'] as const) {
      const evaluated: Workload = { ...planned, evaluation: { sequences: 10, seqlen: 2048 } };
      const without = stageSeconds(shape, { ...evaluated, gpu: null }, stage, { ...rates, gpu: null });
      expect(stageSeconds(shape, evaluated, stage, rates)).toBe(without);
    }
  });
});

describe('what lies on a GPU', () => {
  const GiB = 2 ** 30;
  const opt = ['q_proj', 'k_proj', 'v_proj', 'out_proj', 'fc1', 'fc2'];
  const types = opt66b.layers.map(({ tap }, i) => ({ type: opt[i] ?? '', tap }));
  const left = (layers: readonly LayerShape[], memoryBytes: number | null, m = 4): string[] => {
    const share = gpuShare(layers, { method: 'sparsegpt', nm: { n: m / 2, m } }, { memoryBytes });
    return share === null ? ['no GPU'] : layersOnCpu(types, share);
  };

  it('is, of OPT-66B, all its Gram matrices, a factor, and a layer with its errors', () => {
    const grams = 8 * (3 * 9216 ** 2 + 36864 ** 2);
    expect(gpuBytes(opt66b.layers, allTaps, 'sparsegpt')).toBe(grams + 4 * 36864 ** 2 + 8 * 9216 * 36864);
    const narrow = new Set(['attn_in', 'attn_out', 'mlp_in']);
    expect(gpuBytes(opt66b.layers, narrow, 'sparsegpt')).toBe(3 * 8 * 9216 ** 2 + 4 * 9216 ** 2 + 8 * 36864 * 9216);
    expect(gpuBytes(opt66b.layers, new Set(), 'sparsegpt')).toBe(0);
    // By ADMM factor and Hessian in the place of a Gram matrix, two squares for an inverse; four matrices of the layer and a mask.
    expect(gpuBytes(opt66b.layers, allTaps, 'admm')).toBe(grams + 8 * 36864 ** 2 + 16.125 * 9216 * 36864);
  });

  it('is what fits into 70 % of its memory, the narrowest first; the other layers are left to the CPU', () => {
    // All: 19.4 GiB. Three taps: 4.8 GiB, of which fc1 takes 2.5; two: 2.2 GiB.
    expect(left(opt66b.layers, null)).toEqual([]);
    expect(left(opt66b.layers, 32 * GiB)).toEqual([]);
    expect(left(opt66b.layers, 24 * GiB)).toEqual(['fc2']);
    expect(left(opt66b.layers, 4 * GiB)).toEqual(['fc1', 'fc2']);
    expect(left(opt66b.layers, GiB)).toEqual(opt);
    expect([...tapsThatFit(opt66b.layers, 24 * GiB, 'sparsegpt')]).toEqual(['attn_in', 'attn_out', 'mlp_in']);
    expect(gpuShare(opt66b.layers, { method: 'sparsegpt', nm: null }, null)).toBeNull();
  });

  it('is swept by the CPU where the pattern is one of more than 32 neighbours, but not by Wanda and ADMM, which sweep in none', () => {
    expect(left(opt66b.layers, null, 32)).toEqual([]);
    expect(left(opt66b.layers, null, 64)).toEqual(opt);
    const wanda = gpuShare(opt66b.layers, { method: 'wanda', nm: { n: 32, m: 64 } }, { memoryBytes: null });
    expect(wanda?.prunes).toBe(true);
    const admm = gpuShare(opt66b.layers, { method: 'admm', nm: { n: 32, m: 64 } }, { memoryBytes: null });
    expect(admm?.prunes).toBe(true);
  });

  it('is no memory of this machine, but for what is on its way', () => {
    const one: Workload = { ...work, blocks: 1 };
    const heldOnGpu = (stage: 'estimate' | 'compress', taps: ReadonlySet<string>, prunes = true) =>
      stageMemory(opt66b, { ...one, gpu: { taps, prunes } }, stage).held;
    for (const stage of ['estimate', 'compress'] as const) {
      const { grams, factors, staged, layer } = heldOnGpu(stage, allTaps);
      expect([grams ?? 0, factors ?? 0, layer ?? 0]).toEqual([0, 0, 0]);
      // A run of the block holds most, more than a layer that is swept; three pieces of 64 MiB are on their way.
      expect(staged).toBe(3 * 64 * 2 ** 20);
      const narrow = heldOnGpu(stage, new Set(['attn_in', 'attn_out', 'mlp_in']));
      // The widest Gram matrix while its factor is made.
      expect([narrow.grams, narrow.factors]).toEqual([4 * 36864 * 36865, 4 * 36864 ** 2]);
    }
    const takenOver = heldOnGpu('compress', allTaps, false);
    expect(takenOver.factors).toBe(4 * 36864 ** 2);
    expect(takenOver.grams ?? 0).toBe(0);
  });
});

describe('the measurement of a GPU', () => {
  it('takes larger matrices the faster it is, but none of gigabytes', () => {
    // A square of n columns at a fifth of the rate: n³ / (0.2 rate) seconds, at most one.
    for (const gemm of [1.5e9, 1e11, 1e12]) {
      const { cols } = gpuCap(gemm);
      expect(cols ** 3 / (0.2 * gemm)).toBeLessThanOrEqual(1);
      expect((cols + 128) ** 3 / (0.2 * gemm)).toBeGreaterThan(1);
      expect(cols % 128).toBe(0);
    }
    expect(gpuCap(1e13)).toEqual({ rows: 8192, cols: 8192 });
    expect(gpuCap(1e6)).toEqual({ rows: 128, cols: 128 });
  });

  it('leaves what crosses the bus and what the CPU does out of a kernel', () => {
    const gpu = { gemm: 1e12, transfer: 1e10, store: 1e9 };
    const term = { operations: 1e12, up: 2e9, down: 1e9, stored: 2e8 };
    // 2 s of computing, 0.3 s of the bus, 0.2 s of the CPU: half of the product's rate.
    expect(shareOf(term, 2.5, gpu)).toBeCloseTo(0.5, 12);
    // Measured in less than the bus and the CPU take: a tenth is the kernel's.
    expect(shareOf(term, 0.4, gpu)).toBeCloseTo(1 / 0.04, 12);
  });
});
