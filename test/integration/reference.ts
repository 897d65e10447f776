import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

import { afterAll, beforeAll, beforeEach, expect } from 'vitest';

import type { Report } from '../../src/contract/report.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { readReportOf, succeed } from './helpers.ts';

/** Beside the repository: what a reference in PyTorch measured on the demo model, and its token ids. */
const reference = fileURLToPath(new URL('../../../shared/reference', import.meta.url));

interface Results {
  dense: number;
  windows: number;
  estimates: Record<string, number>;
  runs: Record<string, Expected | undefined>;
}

interface Expected {
  compressed: number;
  zeros: number;
  sparsities?: Record<string, number>;
  groups?: Record<string, number>;
}

/** The reference's runs, as `tamis compress` is told of them. */
const flags = {
  'scheduled-70': ['--scheduler', 'kmeans', '--sparsity', '0.7'],
  'scheduled-80': ['--scheduler', 'kmeans', '--sparsity', '0.8'],
  'uniform-50': ['--scheduler', 'uniform', '--sparsity', '0.5'],
  'uniform-70': ['--scheduler', 'uniform', '--sparsity', '0.7'],
  'uniform-80': ['--scheduler', 'uniform', '--sparsity', '0.8'],
  'nm-2-4': ['--nm', '2:4'],
  'nm-4-8': ['--nm', '4:8'],
  // The others of its quantized runs (int4-g128, int4-g128-sym, int4-channel) differ from these in one flag.
  'int3-g128': ['--sparsity', '0', '--bits', '3'],
  'uniform-50-int4-g128': ['--scheduler', 'uniform', '--sparsity', '0.5', '--bits', '4'],
  'scheduled-70-int4-g128-sym': ['--scheduler', 'kmeans', '--sparsity', '0.7', '--bits', '4', '--symmetric'],
} as const;

/** Runs by ADMM of another one (admm-results.json): flags, and the recipe that it has of them. */
const iterated = {
  'admm-50': { flags: ['--sparsity', '0.5'], recipe: { sparsity: 0.5 } },
  'admm-70': { flags: ['--sparsity', '0.7'], recipe: { sparsity: 0.7 } },
  'admm-80': { flags: ['--sparsity', '0.8'], recipe: { sparsity: 0.8 } },
  'admm-2-4': { flags: ['--nm', '2:4'], recipe: { sparsity: 0.5, nm: [2, 4] } },
  'admm-70-int4': {
    flags: ['--sparsity', '0.7', '--bits', '4', '--symmetric'],
    recipe: { sparsity: 0.7, quant: { bits: 4, group: 128, sym: true } },
  },
  'admm-70-int3': {
    flags: ['--sparsity', '0.7', '--bits', '3', '--symmetric'],
    recipe: { sparsity: 0.7, quant: { bits: 3, group: 128, sym: true } },
  },
} as const;

interface Iterated {
  readonly recipe: { readonly windows: number };
  readonly compressed: number;
  readonly zeros: number;
}

export interface Reference {
  /** A run of the demo model on the reference's token ids. */
  run: (name: string, flags: readonly string[], windows?: number) => Promise<Report>;
  /** A run with nothing but pruning: perplexities, estimates, groups and sparsities are the reference's. Returns its perplexity. */
  expectPruned: (name: keyof typeof flags) => Promise<number>;
  /** A quantizing run: a perplexity at most a hundredth above the reference's. */
  expectQuantized: (name: keyof typeof flags) => Promise<void>;
  /** A uniform run by ADMM: a perplexity at most a hundredth above the reference's. */
  expectIterated: (name: keyof typeof iterated) => Promise<void>;
  /** The perplexity that the reference measured after a run of its own. */
  perplexityOf: (name: keyof typeof flags) => number;
}

/** How far two numbers are apart, as a share of the second. */
function apart(value: number, from: number): number {
  return Math.abs(value / from - 1);
}

/** The runs of a test file that are held against the reference, in a folder and with a cache of their own; where it is not, all skip. */
export function useReference(name: string): Reference {
  let folder: ReturnType<typeof testFolder>;
  let results: Results;
  beforeAll(() => {
    folder = testFolder(name);
    const path = join(reference, 'results.json');
    if (existsSync(path)) results = JSON.parse(readFileSync(path, 'utf8')) as Results;
  });
  afterAll(() => {
    folder.remove();
  });
  beforeEach(({ skip }) => {
    if (!existsSync(reference)) skip('the reference numbers, ../shared/reference, are not here');
  });

  const run: Reference['run'] = async (name, flags, windows = results.windows) => {
    const out = join(folder.path, name);
    const calibration = ['--calibration-tokens', join(reference, 'calibration.safetensors')];
    const evaluation = ['--evaluation-tokens', join(reference, 'eval.safetensors'), '--windows', String(windows)];
    const args = ['compress', demoModel, '--out', out, ...calibration, ...evaluation, '--device', 'cpu', ...flags];
    await succeed(args, { cache: join(folder.path, 'cache') });
    const report = readReportOf(out);
    expect(perplexitiesOf(report)[0]).toMatchObject({ windows, seqlen: 256 });
    return report;
  };

  const expectedOf = (name: keyof typeof flags): Expected => {
    const expected = results.runs[name];
    if (!expected) throw new Error(`results.json has no run ${name}`);
    return expected;
  };

  const expectPruned: Reference['expectPruned'] = async (name) => {
    const expected = expectedOf(name);
    const report = await run(name, flags[name]);
    const { layers, sparsity } = report;
    const { dense = NaN, compressed = NaN } = perplexitiesOf(report)[0] ?? {};
    expect(apart(dense, results.dense), `dense: ${dense}`).toBeLessThan(1e-5);
    expect(apart(compressed, expected.compressed), `${name}: ${compressed}`).toBeLessThan(0.01);
    if (!name.startsWith('nm')) expect(sparsity.actual).toBeCloseTo(expected.zeros, 4);
    for (const layer of layers) {
      if (layer.estimate !== null)
        expect(apart(layer.estimate, results.estimates[layer.name] ?? NaN), layer.name).toBeLessThan(0.005);
      if (expected.groups) expect(layer.group, layer.name).toBe(expected.groups[layer.name]);
      if (expected.sparsities)
        expect(layer.targetSparsity, layer.name).toBeCloseTo(expected.sparsities[layer.name] ?? NaN, 4);
    }
    if (expected.groups)
      expect(layers.filter(({ estimate }) => estimate !== null)).toHaveLength(Object.keys(results.estimates).length);
    return compressed;
  };

  const expectQuantized: Reference['expectQuantized'] = async (name) => {
    const expected = expectedOf(name);
    const report = await run(name, flags[name]);
    const { sparsity, layers } = report;
    const { compressed = NaN } = perplexitiesOf(report)[0] ?? {};
    expect(compressed / expected.compressed - 1, `${name}: ${compressed}`).toBeLessThan(0.01);
    expect(sparsity.actual).toBeCloseTo(expected.zeros, 2);
    for (const { name: layer, bits } of layers) expect(bits, layer).toBe(name.includes('int3') ? 3 : 4);
  };

  const expectIterated: Reference['expectIterated'] = async (name) => {
    const path = join(reference, 'admm-results.json');
    const { runs } = JSON.parse(readFileSync(path, 'utf8')) as { runs: Iterated[] };
    const { flags, recipe } = iterated[name];
    const expected = runs.find(({ recipe: { windows: _windows, ...own } }) => isDeepStrictEqual(own, recipe));
    if (!expected) throw new Error(`${path} has no run ${name}`);
    const { windows } = expected.recipe;
    const { sparsity, layers, ...report } = await run(
      name,
      ['--method', 'admm', '--scheduler', 'uniform', ...flags],
      windows,
    );
    const { compressed = NaN } = perplexitiesOf(report)[0] ?? {};
    expect(compressed / expected.compressed - 1, `${name}: ${compressed}`).toBeLessThan(0.01);
    // The nearest code of a weight that is kept may be zero, and so is what a pattern keeps of dead columns.
    if ('quant' in recipe || 'nm' in recipe) expect(sparsity.actual).toBeGreaterThanOrEqual(expected.zeros - 1e-3);
    else expect(sparsity.actual).toBeCloseTo(expected.zeros, 4);
    for (const { iterations, name: layer } of layers) expect(iterations, layer).not.toBeNull();
  };

  return { run, expectPruned, expectQuantized, expectIterated, perplexityOf: (name) => expectedOf(name).compressed };
}
