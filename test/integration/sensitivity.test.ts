import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import type { RunEvent } from '../../src/contract/events.ts';
import { parseRecipe, type RecipeInput } from '../../src/contract/recipe.ts';
import type { Report } from '../../src/contract/report.ts';
import { compress } from '../../src/worker/engine.ts';
import { allLayers, weightName } from '../../src/worker/families/family.ts';
import { openModel, type Model } from '../../src/worker/model/open.ts';
import { native, openTensorFile, type Factor, type TensorInfo } from '../../src/worker/native.ts';
import { openBlock, openEmbed, openLogits } from '../../src/worker/runtime/forward.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { useOwnCache } from '../fixtures/own-cache.ts';
import { fixtureFolder } from '../fixtures/models.ts';
import { safetensors, testFolder, type FixtureTensor } from '../fixtures/safetensors.ts';
import { writeTinyOpt, writeTokens } from '../fixtures/tiny-opt.ts';

const session = { device: 'cpu', threads: 1 } as const;
const control = new native.Control();
const folder = testFolder('sensitivity');
useOwnCache(folder);
let count = 0;

afterAll(() => {
  folder.remove();
});

interface Case {
  readonly model: string;
  /** [rows, seqlen] of the calibration file; the first `sequences` rows calibrate, the others are held back. */
  readonly rows: number;
  readonly sequences: number;
  readonly seqlen: number;
  readonly vocab?: number;
  readonly blocks?: number;
}

interface Run {
  readonly report: Report;
  readonly events: readonly RunEvent[];
  readonly tokens: string;
}

async function run(
  { model, rows, sequences, seqlen, vocab, blocks }: Case,
  scheduler: RecipeInput['scheduler'] = { kind: 'allocate', range: 0.1 },
  more: Partial<RecipeInput> = {},
): Promise<Run> {
  const tokens = writeTokens(join(folder.path, `${rows}-${seqlen}.safetensors`), [rows, seqlen], 2, vocab);
  const recipe = parseRecipe({
    model,
    calibration: { corpus: { kind: 'tokens', path: tokens }, sequences, seqlen },
    scheduler,
    ...session,
    ...(blocks !== undefined && { blocks }),
    ...more,
  });
  const events: RunEvent[] = [];
  const out = join(folder.path, `out-${++count}`);
  const { signal } = new AbortController();
  const report = await compress(recipe, out, { signal, onEvent: (event) => events.push(event) });
  expect(readdirSync(join(out, 'state')).filter((name) => name.startsWith('sensitivity'))).toEqual([]);
  return { report, events, tokens };
}

/** All sequences through the model at once, or through its blocks alone; `weights` take the place of the checkpoint's. */
async function forward(
  model: Model,
  ids: Int32Array,
  seqlen: number,
  weights: ReadonlyMap<string, TensorInfo> = new Map(),
  onTap: (block: number, tap: string, x: Float32Array) => Promise<void> = () => Promise.resolve(),
): Promise<Float32Array> {
  await using embed = await openEmbed(model, { threads: 1, seqlen });
  let x: Float32Array = Float32Array.from(await embed.run(ids));
  for (let index = 0; index < model.family.blocks; index++) {
    await using block = await openBlock(model, index, { ...session, seqlen, weights, taps: true, output: true });
    const { output, taps } = await block.run(x);
    for (const [tap, value] of taps) await onTap(index, tap, value);
    x = Float32Array.from(output ?? []);
  }
  await using logits = await openLogits(model, { start: 0, end: model.family.vocab }, session);
  const result = Float32Array.from(await logits.run(x));
  return result;
}

/** log softmax of one row of logits, float64. */
function logProbabilities(logits: Float32Array, row: number, vocab: number): number[] {
  const values = [...logits.subarray(row * vocab, (row + 1) * vocab)];
  const top = Math.max(...values);
  const sum = Math.log(values.reduce((total, value) => total + Math.exp(value - top), 0)) + top;
  return values.map((value) => value - sum);
}

/** Mean over the rows of Σ p log(p / q). */
function meanDivergence(dense: Float32Array, other: Float32Array, vocab: number): number {
  const rows = dense.length / vocab;
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const [p, q] = [logProbabilities(dense, row, vocab), logProbabilities(other, row, vocab)];
    p.forEach((log, id) => (total += Math.exp(log) * (log - (q[id] ?? NaN))));
  }
  return total / rows;
}

type Layer = ReturnType<typeof allLayers>[number];
type PruneOptions = Parameters<typeof native.prune>[3];

/** Layers compressed and written as the checkpoint holds them, by other means than the run's. */
async function compressedWeights(
  { model, factors }: Naive,
  layers: readonly Layer[],
  options: Partial<PruneOptions>,
): Promise<Map<string, TensorInfo>> {
  const tensors: Record<string, FixtureTensor> = {};
  for (const layer of layers) {
    const factor = factors.get(`${layer.block} ${layer.tap}`);
    if (!factor) throw new Error(`no factor of ${layer.name}`);
    const all: PruneOptions = { method: 'sparsegpt', storage: model.dtype, ...options };
    const compressed = await native.prune(model.checkpoint, weightName(layer), factor, all, control);
    const { rows, cols } = compressed;
    const values = compressed.toF32();
    const data = layer.transposed
      ? Array.from({ length: rows * cols }, (_, i) => values[(i % rows) * cols + Math.floor(i / rows)] ?? NaN)
      : [...values];
    const shape = layer.transposed ? [cols, rows] : [rows, cols];
    tensors[`${layer.name}.weight`] = { dtype: model.dtype, shape, data };
  }
  const path = folder.write(`naive-${++count}.safetensors`, safetensors(tensors));
  return new Map(
    native.Checkpoint.openFile(path)
      .tensors()
      .map((info) => [info.name, info]),
  );
}

interface Naive {
  readonly model: Model;
  readonly layers: readonly Layer[];
  /** Of the dense model, by block and tap. */
  readonly factors: ReadonlyMap<string, Factor>;
  /** The divergence of the model with these weights in the place of its own. */
  readonly divergence: (weights: ReadonlyMap<string, TensorInfo>) => Promise<number>;
}

/** Whole forward passes, and all of the calibration at once. */
async function openNaive(wanted: Case, tokens: string): Promise<Naive> {
  const model = await openModel(wanted.model);
  const { sequences, seqlen } = wanted;
  const ids = Int32Array.from(openTensorFile(tokens).readI64('tokens'));
  const calibrated = ids.subarray(0, sequences * seqlen);
  const grams = new Map<string, InstanceType<typeof native.Gram>>();
  await forward(model, calibrated, seqlen, new Map(), async (block, tap, x) => {
    const gram = new native.Gram(x.length / calibrated.length);
    await gram.add(x, calibrated.length, control);
    grams.set(`${block} ${tap}`, gram);
  });
  const factors = new Map<string, Factor>();
  for (const [at, gram] of grams)
    factors.set(at, await native.factorize(gram, 2 / sequences, 0.01, 'natural', true, control));

  // Of the 16 that are held back as many as it takes for 1280 tokens, each up to 2048.
  const cut = Math.min(2048, seqlen);
  const held = ids.subarray(sequences * seqlen, (sequences + Math.min(16, Math.ceil(1280 / cut))) * seqlen);
  const rows = Array.from({ length: held.length / seqlen }, (_, i) => [...held.subarray(i * seqlen, i * seqlen + cut)]);
  const measured = Int32Array.from(rows.flat());
  const dense = await forward(model, measured, cut);
  const layers = allLayers(model.family, wanted.blocks ?? model.family.blocks);
  const divergence: Naive['divergence'] = async (weights) =>
    meanDivergence(dense, await forward(model, measured, cut, weights), model.family.vocab);
  return { model, layers, factors, divergence };
}

/** One whole forward pass for each layer, `every` so many of them. */
async function naiveSensitivities(
  wanted: Case,
  tokens: string,
  every = 1,
  method: PruneOptions['method'] = 'sparsegpt',
): Promise<Map<string, number>> {
  const naive = await openNaive(wanted, tokens);
  const sensitivities = new Map<string, number>();
  for (const [i, layer] of naive.layers.entries()) {
    if (i % every > 0) continue;
    const weights = await compressedWeights(naive, [layer], { method, sparsity: 0.7 });
    sensitivities.set(layer.name, await naive.divergence(weights));
  }
  return sensitivities;
}

function expectAgreement(report: Report, naive: ReadonlyMap<string, number>): void {
  const measured = new Map(report.layers.map(({ name, sensitivity }) => [name, sensitivity]));
  for (const [name, expected] of naive) expectEqual(measured.get(name) ?? NaN, expected, name);
}

function expectEqual(measured: number, expected: number, name: string): void {
  const difference = Math.abs(measured - expected);
  expect(difference, `${name}: ${measured}, not ${expected}`).toBeLessThan(Math.max(1e-5 * expected, 1e-7));
}

function measuredIn(events: readonly RunEvent[]): Record<string, number> {
  return Object.fromEntries(
    events.flatMap((event) => (event.type === 'sensitivity' ? [[event.layer, event.sensitivity]] : [])),
  );
}

const tiny = { rows: 56, sequences: 40, seqlen: 16, vocab: 90 };

describe('a layer’s sensitivity is the divergence of a whole forward pass with that layer alone pruned', () => {
  test.each(['opt-pre-norm', 'llama-grouped', 'gpt2-plain', 'bloom-plain'])('%s', async (name) => {
    const wanted = { ...tiny, model: fixtureFolder(name) };
    const { report, events, tokens } = await run(wanted);
    const naive = await naiveSensitivities(wanted, tokens);
    expect(new Set(naive.keys())).toEqual(new Set(report.layers.map((layer) => layer.name)));
    expect(Math.min(...naive.values())).toBeGreaterThan(1e-6);
    expectAgreement(report, naive);
    expect(measuredIn(events)).toEqual(Object.fromEntries(report.layers.map((each) => [each.name, each.sensitivity])));
  });

  test.each([
    ['the first block alone', { blocks: 1 }],
    ['one sequence held back', { rows: 41 }],
    ['fewer held back than are wanted', { rows: 47 }],
    ['more tokens held back than are measured on', { rows: 28, sequences: 8, seqlen: 150 }],
    ['a sequence longer than what is measured on', { rows: 2, sequences: 1, seqlen: 2100, blocks: 1 }],
    ['tokens that no slice divides', { rows: 41, seqlen: 31 }],
  ])('%s', async (_, change) => {
    const model = writeTinyOpt(join(folder.path, `opt-${++count}`), { dtype: 'F16', positions: 2100, blocks: 2 });
    const wanted = { ...tiny, model, ...change };
    const { report, tokens } = await run(wanted);
    const naive = await naiveSensitivities(wanted, tokens);
    expect(naive.size).toBe(report.layers.length);
    expectAgreement(report, naive);
  });

  test('the demo model', async () => {
    const wanted = { model: demoModel, rows: 7, sequences: 5, seqlen: 48, vocab: 8192 };
    const { report, tokens } = await run(wanted);
    expectAgreement(report, await naiveSensitivities(wanted, tokens, 7));
  });
});

test.each(['sparsegpt', 'admm'] as const)("how a layer's error grows from 70 percent to 90, by %s", async (method) => {
  const wanted = { ...tiny, model: fixtureFolder('opt-pre-norm') };
  const { report, tokens } = await run(wanted, undefined, { method });
  const growths = estimatedIn('growths');
  const { model, layers, factors } = await openNaive(wanted, tokens);
  expect(Object.keys(growths)).toEqual(report.layers.map(({ name }) => name));
  for (const layer of layers) {
    const factor = factors.get(`${layer.block} ${layer.tap}`);
    if (!factor) throw new Error(`no factor of ${layer.name}`);
    const errorAt = async (sparsity: number): Promise<number> => {
      const options = { method, storage: model.dtype, sparsity };
      return (await native.prune(model.checkpoint, weightName(layer), factor, options, control)).error ?? NaN;
    };
    const expected = (await errorAt(0.9)) / (await errorAt(0.7));
    expect(expected).toBeGreaterThan(1.5);
    expectEqual(growths[layer.name] ?? NaN, expected, layer.name);
  }
});

/** What the last run's estimate pass left in its state, by name. */
function estimatedIn(what: 'growths' | 'quantized'): Record<string, number> {
  const state = readFileSync(join(folder.path, `out-${count}`, 'state/estimate.json'), 'utf8');
  return (JSON.parse(state) as { value: Record<typeof what, Record<string, number>> }).value[what];
}

describe('what bits cost is the divergence of a whole forward pass with all layers quantized', () => {
  const quantization = { bits: 4, groupSize: 32 } as const;
  const options = { staticGroups: false, symmetric: false, range: 'minmax', groupSize: 32 } as const;

  interface Sized extends Run {
    readonly quantized: Readonly<Record<string, number>>;
  }

  async function runToSize(wanted: Case, bytes: number, more: Partial<RecipeInput> = {}): Promise<Sized> {
    const goal = { sparsity: null, fit: { kind: 'size', bytes }, quantization, ...more } as const;
    const ended = await run(wanted, { kind: 'uniform' }, goal);
    return { ...ended, quantized: estimatedIn('quantized') };
  }

  test.each([
    ['opt-pre-norm', 5000, {}],
    ['llama-grouped', 10_500, {}],
    ['gpt2-plain', 6500, {}],
    ['the first block alone', 6500, { model: 'opt-pre-norm', blocks: 1 }],
  ])('%s', async (name, bytes, { model = name, ...change }: { model?: string; blocks?: number }) => {
    const wanted = { ...tiny, model: fixtureFolder(model), ...change };
    const { report, quantized, tokens } = await runToSize(wanted, bytes);
    const naive = await openNaive(wanted, tokens);
    for (const bits of [2, 3, 4] as const) {
      const weights = await compressedWeights(naive, naive.layers, { sparsity: 0, quantization: { bits, ...options } });
      const expected = await naive.divergence(weights);
      expect(expected).toBeGreaterThan(1e-6);
      expectEqual(quantized[bits] ?? NaN, expected, `${bits} bits`);
    }
    expect(Object.keys(quantized)).toEqual(['2', '3', '4']);
    expectAgreement(report, await naiveSensitivities(wanted, tokens));
  });
});

describe('what was measured', () => {
  const model = writeTinyOpt(join(folder.path, 'kept'), { blocks: 2 });
  const wanted = { ...tiny, model };

  test('is found again by another target and scheduler; statistics by those who need no more', async () => {
    const first = await run(wanted);
    expect(Object.keys(measuredIn(first.events))).toHaveLength(12);
    const second = await run(wanted, { kind: 'kmeans', estimate: 'measured', min: 0, max: 0.95 }, { sparsity: 0.6 });
    expect(measuredIn(second.events)).toEqual({});
    expect(second.events.filter(({ type }) => type === 'estimate')).toEqual([]);
    const of = ({ report }: Run, key: 'estimate' | 'sensitivity'): unknown[] =>
      report.layers.map((layer) => layer[key]);
    for (const key of ['estimate', 'sensitivity'] as const) expect(of(second, key)).toEqual(of(first, key));
    expect(second.report.estimate).toBe('measured');
    const third = await run(wanted, { kind: 'kmeans', estimate: 'raw', min: 0, max: 0.95 });
    expect(third.events.filter(({ type }) => type === 'estimate')).toEqual([]);
    expect(of(third, 'sensitivity')).toEqual(of(third, 'sensitivity').map(() => null));
    expect(of(third, 'estimate')).toEqual(of(first, 'estimate'));
  });

  test('by the method that prunes, where that sweeps; another method takes none of it', async () => {
    const swept = await run(wanted);
    const iterated = await run(wanted, undefined, { method: 'admm' });
    expect(Object.keys(measuredIn(iterated.events))).toHaveLength(12);
    expectAgreement(iterated.report, await naiveSensitivities(wanted, iterated.tokens, 1, 'admm'));
    const wanda = await run(wanted, undefined, { method: 'wanda' });
    expect(measuredIn(wanda.events)).toEqual({});
    const of = ({ report }: Run): unknown[] => report.layers.map(({ sensitivity }) => sensitivity);
    expect(of(wanda)).toEqual(of(swept));
    expect(of(iterated)).not.toEqual(of(swept));
  });

  test('is the same, measured after the statistics', async () => {
    const other = { ...wanted, model: writeTinyOpt(join(folder.path, 'after'), { blocks: 2, seed: 5 }) };
    const raw = await run(other, { kind: 'kmeans', estimate: 'raw', min: 0, max: 0.95 });
    const measured = await run(other);
    expect(Object.keys(measuredIn(measured.events))).toHaveLength(12);
    expect(measured.report.layers.map(({ estimate }) => estimate)).toEqual(
      raw.report.layers.map(({ estimate }) => estimate),
    );
    expectAgreement(measured.report, await naiveSensitivities(other, measured.tokens));
  });

  test('on the calibration itself, where nothing is held back, is said', async () => {
    const { report } = await run({ ...wanted, rows: 40 });
    expect(report.warnings).toMatchObject([
      { code: 'calibration.nothing-held-back', params: { sequences: 40, last: 16 } },
    ]);
    for (const { sensitivity } of report.layers) expect(sensitivity).toBeGreaterThan(0);
  });
});
