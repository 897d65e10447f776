import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventSchema } from '../../src/contract/events.ts';
import { fixed, percent } from '../../src/contract/format.ts';
import type { DatasetResult } from '../../src/contract/measured.ts';
import type { LayerResult, Report } from '../../src/contract/report.ts';
import { numbersOf, readTensors, type ReadTensor } from '../fixtures/read-safetensors.ts';
import { layerNames, writeTinyOpt } from '../fixtures/tiny-opt.ts';
import { bitsOf, readReportOf, succeed, tinyFolder, type Tiny } from './helpers.ts';
import { perplexitiesOf, perplexityOf } from '../fixtures/measured.ts';

let tiny: Tiny;
let source: Map<string, ReadTensor>;
let count = 0;

beforeAll(() => {
  tiny = tinyFolder('methods');
  source = readTensors(tiny.model);
});
afterAll(() => {
  tiny.remove();
});

interface Compressed {
  out: string;
  report: Report;
  tensors: Map<string, ReadTensor>;
}

async function compressed(model: string, ...flags: string[]): Promise<Compressed> {
  const out = tiny.file(`out-${++count}`);
  await succeed(['compress', model, '--out', out, ...tiny.data, ...flags], tiny);
  return { out, report: readReportOf(out), tensors: readTensors(out) };
}

function weightsOf(tensors: ReadonlyMap<string, ReadTensor>, layer: string): number[] {
  const tensor = tensors.get(`${layer}.weight`);
  if (!tensor) throw new Error(`no ${layer}`);
  return numbersOf(tensor);
}

function zeros(values: readonly number[]): number {
  return values.filter((value) => value === 0).length;
}

/** Zeros that SparseGPT's rule makes in a layer: for each block of 128 columns those up to the entry of rank floor(s N). */
function sparsegptZeros({ rows, cols, targetSparsity }: LayerResult): number {
  let total = 0;
  for (let first = 0; first < cols; first += 128) {
    const entries = rows * Math.min(128, cols - first);
    total += Math.min(Math.floor(targetSparsity * entries), entries - 1) + 1;
  }
  return total;
}

const expectedZeros: Readonly<Record<string, (layer: LayerResult) => number>> = {
  sparsegpt: sparsegptZeros,
  admm: ({ rows, cols, targetSparsity }) => rows * cols - Math.round((1 - targetSparsity) * rows * cols),
  wanda: ({ rows, cols, targetSparsity }) => rows * Math.floor(targetSparsity * cols),
  magnitude: ({ rows, cols, targetSparsity }) => Math.floor(targetSparsity * rows * cols) + 1,
};

/** What holds for every finished run: the report, the files and what `inspect` and `eval` say of them agree. */
async function expectConsistent({ out, report, tensors }: Compressed, pruned = layerNames()): Promise<void> {
  expect(report.layers.map(({ name }) => name).sort()).toEqual([...pruned].sort());
  let total = 0;
  let weights = 0;
  for (const { name, rows, cols, sparsity } of report.layers) {
    const layer = weightsOf(tensors, name);
    expect(layer).toHaveLength(rows * cols);
    expect(sparsity).toBe(zeros(layer) / layer.length);
    total += zeros(layer);
    weights += layer.length;
  }
  expect(report.sparsity.actual).toBeCloseTo(total / weights, 12);
  const untouched = [...source.keys()].filter((name) => !pruned.includes(name.replace(/\.weight$/, '')));
  for (const name of untouched) expect(tensors.get(name)).toEqual(source.get(name));

  const inspected = JSON.parse((await succeed(['inspect', out, '--json'], tiny)).stdout) as {
    tensors: { name: string; zeros: number }[];
  };
  for (const { name, zeros: found } of inspected.tensors) {
    const tensor = tensors.get(name);
    expect(found, name).toBe(tensor ? zeros(numbersOf(tensor)) : NaN);
  }
  const evaluated = JSON.parse(
    (await succeed(['eval', out, '--json', ...tiny.data.slice(2, 4), '--device', 'cpu', '--threads', '1'], tiny))
      .stdout,
  ) as {
    results: DatasetResult[];
  };
  expect(perplexityOf(evaluated.results[0])).toBe(perplexitiesOf(report)[0]?.compressed);
}

function meanTarget(report: Report): number {
  const weights = report.layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  return report.layers.reduce((sum, { rows, cols, targetSparsity }) => sum + rows * cols * targetSparsity, 0) / weights;
}

describe('methods', () => {
  test.each(['sparsegpt', 'admm', 'wanda', 'magnitude'] as const)(
    '%s, uniform: exactly the zeros that its rule makes',
    async (method) => {
      const run = await compressed(tiny.model, '--method', method, '--scheduler', 'uniform', '--sparsity', '0.6');
      await expectConsistent(run);
      for (const layer of run.report.layers) {
        expect(layer.targetSparsity).toBe(0.6);
        expect(zeros(weightsOf(run.tensors, layer.name)), layer.name).toBe(expectedZeros[method]?.(layer));
      }
      if (method === 'sparsegpt' || method === 'admm') return;
      for (const name of layerNames()) {
        const dense = weightsOf(source, name);
        const changed = weightsOf(run.tensors, name).filter((value, i) => value !== 0 && value !== dense[i]);
        expect(changed, `${name}: only SparseGPT and ADMM change the weights that stay`).toEqual([]);
      }
    },
  );

  test('magnitude prunes the smallest, and needs no calibration', async () => {
    const out = tiny.file('magnitude');
    const flags = [
      '--method',
      'magnitude',
      '--scheduler',
      'uniform',
      '--sparsity',
      '0.3',
      '--device',
      'cpu',
      '--threads',
      '1',
    ];
    const { stdout } = await succeed(['compress', tiny.model, '--out', out, ...flags], tiny);
    expect(stdout).toContain('No perplexity');
    const tensors = readTensors(out);
    for (const name of layerNames()) {
      const dense = weightsOf(source, name).map(Math.abs);
      const limit = [...dense].sort((a, b) => a - b)[Math.floor(0.3 * dense.length)] ?? NaN;
      expect(weightsOf(tensors, name).map((value) => value === 0)).toEqual(dense.map((value) => value <= limit));
    }
    expect(readReportOf(out).layers.map(({ error }) => error)).toEqual(layerNames().map(() => null));
  });

  test.each(['sparsegpt', 'admm', 'wanda', 'magnitude'])('%s, 2:4: two of every four in a row', async (method) => {
    const run = await compressed(tiny.model, '--method', method, '--nm', '2:4');
    await expectConsistent(run);
    expect(run.report.sparsity).toEqual({ target: 0.5, actual: 0.5 });
    for (const name of layerNames()) {
      const values = weightsOf(run.tensors, name);
      for (let i = 0; i < values.length; i += 4) expect(zeros(values.slice(i, i + 4))).toBe(2);
    }
  });

  test.each(['F16', 'BF16'] as const)('a sharded checkpoint in %s comes out in it', async (dtype) => {
    const model = writeTinyOpt(tiny.file(dtype), { dtype, sharded: true });
    const { report, tensors } = await compressed(model, '--scheduler', 'uniform');
    expect(report.model.dtype).toBe(dtype);
    const before = readTensors(model);
    expect([...tensors.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [name, tensor] of tensors) expect(tensor).toMatchObject({ dtype, shape: before.get(name)?.shape });
    for (const layer of report.layers) {
      // Weights of equal size are pruned together: rounded to 16 bits there are some.
      const expected = sparsegptZeros(layer);
      const found = zeros(weightsOf(tensors, layer.name));
      expect(found).toBeGreaterThanOrEqual(expected);
      expect(found).toBeLessThan(expected + 0.005 * layer.rows * layer.cols);
    }
  });

  test('--blocks 1 leaves the other blocks as they are', async () => {
    const run = await compressed(tiny.model, '--scheduler', 'kmeans', '--blocks', '1', '--sparsity', '0.7');
    await expectConsistent(run, layerNames(1));
    expect(run.report.model).toMatchObject({ blocks: 3, blocksCompressed: 1 });
  });
});

describe('schedulers', () => {
  const sparsities = (report: Report): number[] =>
    layerNames().map((name) => report.layers.find((layer) => layer.name === name)?.targetSparsity ?? NaN);

  /** A run whose mean meets the target to rounding, and whose zeros meet the schedule within one weight a block of 128 columns. */
  async function scheduled(...flags: string[]): Promise<Report> {
    const run = await compressed(tiny.model, '--sparsity', '0.7', ...flags);
    await expectConsistent(run);
    expect(run.report.sparsity.target).toBeCloseTo(0.7, 9);
    expect(meanTarget(run.report)).toBeCloseTo(0.7, 9);
    for (const layer of run.report.layers)
      expect(zeros(weightsOf(run.tensors, layer.name))).toBe(sparsegptZeros(layer));
    const blocks = run.report.layers.reduce((sum, { cols }) => sum + Math.ceil(cols / 128), 0);
    const weights = run.report.layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
    expect(Math.abs(run.report.sparsity.actual - 0.7) * weights).toBeLessThanOrEqual(blocks);
    return run.report;
  }

  test.each([
    ['raw', '3', 'power'],
    ['raw', '0', 'power'],
    ['raw', '3', 'linear'],
    ['relative', '0', 'linear'],
    ['relative', '4', 'power'],
    ['relative-by-type', '0', 'linear'],
    ['relative-by-type', '3', 'power'],
  ])('kmeans on %s estimates, %s groups, %s', async (estimate, groups, mapping) => {
    const report = await scheduled(
      '--scheduler',
      'kmeans',
      '--estimate',
      estimate,
      '--groups',
      groups,
      '--mapping',
      mapping,
    );
    expect(report.estimate).toBe(estimate);
    const of = new Map<number | null, Set<number>>();
    for (const { group, targetSparsity } of report.layers)
      of.set(group, (of.get(group) ?? new Set()).add(targetSparsity));
    if (groups === '0') {
      expect([...of.keys()]).toEqual([null]);
    } else {
      expect([...of.keys()].sort()).toEqual(Array.from({ length: Number(groups) }, (_, group) => group));
      for (const values of of.values()) expect(values.size).toBe(1);
      const byCentroid = report.centroids.map(({ sparsity }) => sparsity);
      expect(byCentroid).toEqual([...byCentroid].sort((a, b) => b - a));
    }
    if (estimate === 'raw' && groups === '0') {
      const byEstimate = [...report.layers]
        .sort((a, b) => (a.estimate ?? 0) - (b.estimate ?? 0))
        .map(({ targetSparsity }) => targetSparsity);
      expect(byEstimate).toEqual([...byEstimate].sort((a, b) => b - a));
    }
    if (estimate === 'relative-by-type') {
      for (const type of new Set(report.layers.map((layer) => layer.type))) {
        expect(
          new Set(report.layers.filter((layer) => layer.type === type).map(({ targetSparsity }) => targetSparsity))
            .size,
        ).toBe(1);
      }
    }
    if (mapping === 'linear' && groups === '0') {
      expect(Math.max(...sparsities(report)) - Math.min(...sparsities(report))).toBeCloseTo(0.1, 9);
    }
  });

  test.each(['owl', 'alpha'])('%s: one sparsity a block, the same in all of it', async (kind) => {
    const report = await scheduled('--scheduler', kind);
    const values = [0, 1, 2].map((block) => [
      ...new Set(report.layers.filter((layer) => layer.block === block).map(({ targetSparsity }) => targetSparsity)),
    ]);
    expect(values.map(({ length }) => length)).toEqual([1, 1, 1]);
    const range = Math.max(...values.flat()) - Math.min(...values.flat());
    if (kind === 'owl') expect(range).toBeCloseTo(0.16, 9);
    else expect(range).toBeGreaterThan(0.1);
  });

  test('atp: an arithmetic progression', async () => {
    // β = half of min(2 * 0.7, 2 * 0.3) / (3 - 1) = 0.15
    const report = await scheduled('--scheduler', 'atp');
    const expected = [0.55, 0.7, 0.85];
    for (const { block, targetSparsity } of report.layers)
      expect(targetSparsity).toBeCloseTo(expected[block] ?? NaN, 9);
  });

  test('uniform', async () => {
    const report = await scheduled('--scheduler', 'uniform');
    expect(new Set(sparsities(report))).toEqual(new Set([0.7]));
    expect(report.layers.map(({ estimate }) => estimate)).toEqual(layerNames().map(() => null));
  });

  test('file: what it says, 0 included', async () => {
    const path = tiny.file('sparsities.json');
    const wanted = Object.fromEntries(layerNames().map((name, i) => [name, i === 0 ? 0 : 0.4 + 0.02 * i]));
    writeFileSync(path, JSON.stringify(wanted));
    const run = await compressed(tiny.model, '--scheduler', 'file', '--sparsities', path);
    await expectConsistent(run);
    expect(Object.fromEntries(run.report.layers.map(({ name, targetSparsity }) => [name, targetSparsity]))).toEqual(
      wanted,
    );
    expect(run.report.sparsity.target).toBeCloseTo(meanTarget(run.report), 12);
    const first = layerNames()[0] ?? '';
    expect(weightsOf(run.tensors, first)).toEqual(weightsOf(source, first));
  });
});

describe('runs', () => {
  test.each(['1', '2'])('two of the same recipe give the same bits, on %s threads', async (threads) => {
    const [one, other] = [tiny.file(`one-${threads}`), tiny.file(`other-${threads}`)];
    for (const out of [one, other]) {
      await succeed(
        ['compress', tiny.model, '--out', out, ...tiny.data, '--scheduler', 'kmeans', '--threads', threads],
        {
          cache: `${out}-cache`,
        },
      );
    }
    expect(bitsOf(other)).toEqual(bitsOf(one));
  });

  test('what needs no forward pass is the same on 1 and 2 threads', async () => {
    const weights = async (threads: string): Promise<unknown> => {
      const { out, report } = await compressed(
        tiny.model,
        '--method',
        'magnitude',
        '--scheduler',
        'alpha',
        '--threads',
        threads,
      );
      return {
        layers: report.layers,
        files: (bitsOf(out) as { files: Record<string, string> }).files['model-00002-of-00004.safetensors'],
      };
    };
    expect(await weights('2')).toEqual(await weights('1'));
  });

  test('a printed recipe makes the same run', async () => {
    const flags = ['--sparsity', '0.8', '--scheduler', 'kmeans', '--groups', '2', '--seed', '3'];
    const { stdout } = await succeed(['recipe', tiny.model, ...tiny.data, ...flags], tiny);
    const recipe = tiny.file('recipe.json');
    writeFileSync(recipe, stdout);
    const out = tiny.file('by-recipe');
    await succeed(['compress', '--recipe', recipe, '--out', out], tiny);
    const byFlags = await compressed(tiny.model, ...flags);
    expect(bitsOf(out)).toEqual(bitsOf(byFlags.out));
  });

  test('a second target finds estimates and dense perplexity kept', async () => {
    const cache = tiny.file('kept');
    const [one, other] = [tiny.file('target-1'), tiny.file('target-2')];
    await succeed(['compress', tiny.model, '--out', one, ...tiny.data, '--scheduler', 'kmeans', '--sparsity', '0.7'], {
      cache,
    });
    const flags = ['--sparsity', '0.8', '--scheduler', 'kmeans', '--groups', '2'];
    await succeed(['compress', tiny.model, '--out', other, ...tiny.data, ...flags], { cache });
    const types = (out: string): string[] => eventsOf(out).map(({ type }) => type);
    expect(types(one)).toContain('estimate');
    expect(types(other)).not.toContain('estimate');
    const [first, second] = [readReportOf(one), readReportOf(other)];
    expect(perplexitiesOf(second)[0]?.dense).toBe(perplexitiesOf(first)[0]?.dense);
    expect(second.layers.map(({ estimate }) => estimate)).toEqual(first.layers.map(({ estimate }) => estimate));
  });

  test('a damaged cache is measured again', async () => {
    const cache = tiny.file('kept');
    for (const kind of readdirSync(cache)) {
      for (const file of readdirSync(join(cache, kind))) truncateSync(join(cache, kind, file), 30);
    }
    const out = tiny.file('measured-again');
    await succeed(['compress', tiny.model, '--out', out, ...tiny.data, '--scheduler', 'kmeans', '--sparsity', '0.7'], {
      cache,
    });
    expect(bitsOf(out)).toEqual(bitsOf(tiny.file('target-1')));
  });

  function eventsOf(out: string): { type: string }[] {
    const lines = readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n');
    return lines.map((line) => {
      const { at, ...event } = JSON.parse(line) as { at: string };
      expect(new Date(at).toISOString()).toBe(at);
      return eventSchema.parse(event);
    });
  }

  test('leave events, report, table and page that agree', async () => {
    const { out, report } = await compressed(tiny.model, '--scheduler', 'kmeans');
    const types = eventsOf(out).map(({ type }) => type);
    expect(types.filter((type) => type === 'layer')).toHaveLength(18);
    expect(types.filter((type) => type === 'block')).toHaveLength(3);
    expect(types.filter((type) => type === 'measured')).toHaveLength(2);
    expect(types.at(-1)).toBe('finished');
    const html = readFileSync(join(out, 'report.html'), 'utf8');
    const [perplexity] = perplexitiesOf(report);
    expect(html).toContain(fixed(perplexity?.dense ?? NaN, 2));
    expect(html).toContain(fixed(perplexity?.compressed ?? NaN, 2));
    for (const { name, sparsity } of report.layers) {
      expect(html).toContain(name);
      expect(html).toContain(percent(sparsity, 1));
    }
    const [head, ...rows] = readFileSync(join(out, 'layers.csv'), 'utf8').trimEnd().split('\n');
    expect(head?.split(',')).toContain('name');
    expect(rows.map((row) => row.split(',')[0])).toEqual(report.layers.map(({ name }) => name));
    expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain(fixed(perplexity?.compressed ?? NaN, 2));
    expect(report.peakMemoryBytes).toBeGreaterThan(1e6);
  });

  test('compare puts them side by side', async () => {
    const { out } = await compressed(tiny.model, '--scheduler', 'uniform');
    const { stdout } = await succeed(['compare', out, tiny.file('one-1'), '--json'], tiny);
    const { runs, rows } = JSON.parse(stdout) as {
      runs: string[];
      rows: { label: string; cells: { text: string }[] }[];
    };
    expect(runs).toEqual([out, tiny.file('one-1')]);
    const texts = rows.flatMap(({ cells }) => cells.map(({ text }) => text));
    expect(texts).toContain(fixed(perplexitiesOf(readReportOf(out))[0]?.compressed ?? NaN, 2));
  });
});
