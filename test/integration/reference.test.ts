import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Report } from '../../src/contract/report.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { readReportOf, succeed } from './helpers.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

/** Beside the repository: what a reference in PyTorch measured on the demo model, and its token ids. */
const reference = fileURLToPath(new URL('../../../shared/reference', import.meta.url));
const WINDOWS = 256;

interface Results {
  dense: number;
  windows: number;
  estimates: Record<string, number>;
  runs: Record<
    string,
    { compressed: number; zeros: number; sparsities?: Record<string, number>; groups?: Record<string, number> }
  >;
}

let folder: ReturnType<typeof testFolder>;
let results: Results;

beforeAll(() => {
  folder = testFolder('reference');
  const path = join(reference, 'results.json');
  if (existsSync(path)) results = JSON.parse(readFileSync(path, 'utf8')) as Results;
});
afterAll(() => {
  folder.remove();
});
beforeEach(({ skip }) => {
  if (!existsSync(reference)) skip('the reference numbers, ../shared/reference, are not here');
});

/** How far two numbers are apart, as a share of the second. */
function apart(value: number, from: number): number {
  return Math.abs(value / from - 1);
}

async function run(name: string, flags: readonly string[], windows = WINDOWS): Promise<Report> {
  const out = join(folder.path, name);
  const tokens = [
    '--calibration-tokens',
    join(reference, 'calibration.safetensors'),
    '--evaluation-tokens',
    join(reference, 'eval.safetensors'),
  ];
  const args = [
    'compress',
    demoModel,
    '--out',
    out,
    ...tokens,
    '--windows',
    String(windows),
    '--device',
    'cpu',
    ...flags,
  ];
  await succeed(args, { cache: join(folder.path, 'cache') });
  return readReportOf(out);
}

describe('the demo model with the token ids of the reference', () => {
  // The others of the reference's quantized runs (int4-g128, int4-g128-sym, int4-channel) differ from these in one flag.
  test.each([
    ['int3-g128', ['--sparsity', '0', '--bits', '3']],
    ['uniform-50-int4-g128', ['--scheduler', 'uniform', '--sparsity', '0.5', '--bits', '4']],
    ['scheduled-70-int4-g128-sym', ['--scheduler', 'kmeans', '--sparsity', '0.7', '--bits', '4', '--symmetric']],
  ])("%s: perplexity at most a hundredth above the reference's", async (name, flags) => {
    const expected = results.runs[name];
    if (!expected) throw new Error(`results.json has no run ${name}`);
    const report = await run(name, flags);
    const { sparsity, layers } = report;
    const perplexity = perplexitiesOf(report);
    expect(perplexity[0]).toMatchObject({ windows: results.windows, seqlen: 256 });
    expect(
      (perplexity[0]?.compressed ?? NaN) / expected.compressed - 1,
      `${name}: ${perplexity[0]?.compressed}`,
    ).toBeLessThan(0.01);
    expect(sparsity.actual).toBeCloseTo(expected.zeros, 2);
    for (const { name: layer, bits } of layers) expect(bits, layer).toBe(name.includes('int3') ? 3 : 4);
  });

  test.each([
    ['scheduled-70', ['--scheduler', 'kmeans', '--sparsity', '0.7']],
    ['scheduled-80', ['--scheduler', 'kmeans', '--sparsity', '0.8']],
    ['uniform-50', ['--scheduler', 'uniform', '--sparsity', '0.5']],
    ['uniform-70', ['--scheduler', 'uniform', '--sparsity', '0.7']],
    ['uniform-80', ['--scheduler', 'uniform', '--sparsity', '0.8']],
    ['nm-2-4', ['--nm', '2:4']],
    ['nm-4-8', ['--nm', '4:8']],
  ])('%s: perplexities, estimates, groups and sparsities', async (name, flags) => {
    const expected = results.runs[name];
    if (!expected) throw new Error(`results.json has no run ${name}`);
    const report = await run(name, flags);
    const { layers, sparsity } = report;
    const perplexity = perplexitiesOf(report);
    expect(perplexity[0]).toMatchObject({ windows: results.windows, seqlen: 256 });
    expect(apart(perplexity[0]?.dense ?? NaN, results.dense), 'dense').toBeLessThan(0.0005);
    expect(
      apart(perplexity[0]?.compressed ?? NaN, expected.compressed),
      `${name}: ${perplexity[0]?.compressed}`,
    ).toBeLessThan(0.01);
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
  });

  // Measured with PyTorch by the method of docs/scheduling.md, sensitivities from 16 sequences of 256 tokens.
  test.each([
    ['allocate-70', ['--scheduler', 'allocate', '--sparsity', '0.7'], 86.6],
    ['allocate-80', ['--scheduler', 'allocate', '--sparsity', '0.8'], 110.0],
    ['measured-70', ['--scheduler', 'kmeans', '--estimate', 'measured', '--sparsity', '0.7'], 86.9],
  ])("%s: perplexity at most a fiftieth above the reference's", async (name, flags, expected) => {
    const report = await run(name, flags, 128);
    const { layers } = report;
    const perplexity = perplexitiesOf(report);
    expect(perplexity[0]).toMatchObject({ windows: 128, seqlen: 256 });
    for (const { name: layer, sensitivity } of layers) expect(sensitivity, layer).toBeGreaterThan(0);
    expect((perplexity[0]?.compressed ?? NaN) / expected - 1, `${perplexity[0]?.compressed}`).toBeLessThan(0.02);
  });
});
