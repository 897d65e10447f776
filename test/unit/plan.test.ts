import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { message } from '../../src/contract/messages/index.ts';
import { planSchema, type Plan } from '../../src/contract/plan.ts';
import { parseRecipe, type Quantization, type RecipeInput } from '../../src/contract/recipe.ts';
import { evaluationTokens } from '../../src/worker/texts/dataset.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { plan } from '../../src/worker/plan/plan.ts';
import { sourcesOf } from '../../src/worker/texts/sources.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';

const demoFile = join(demoModel, 'model.safetensors');
const { signal } = new AbortController();

/** What the disk has free, where that is not to be the disk's own. */
const free = vi.hoisted(() => ({ bytes: null as number | null }));
vi.mock(import('../../src/disk/files.ts'), async (original) => {
  const disk = await original();
  return { ...disk, freeBytes: async (path: string) => free.bytes ?? (await disk.freeBytes(path)) };
});

let folder = '';
let cache: string | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-plan-'));
  cache = process.env['TAMIS_CACHE'];
  process.env['TAMIS_CACHE'] = join(folder, 'cache');
  writeTokens('calibration.safetensors', [6, 256]);
  writeTokens('evaluation.safetensors', [1000]);
});
afterAll(() => {
  if (cache === undefined) delete process.env['TAMIS_CACHE'];
  else process.env['TAMIS_CACHE'] = cache;
  rmSync(folder, { recursive: true });
});

function writeTokens(name: string, shape: number[]): void {
  const data = new BigInt64Array(shape.reduce((a, b) => a * b, 1)).fill(5n);
  const json = JSON.stringify({ tokens: { dtype: 'I64', shape, data_offsets: [0, data.byteLength] } });
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(folder, name), Buffer.concat([length, header, Buffer.from(data.buffer)]));
}

function recipe(changes: Partial<RecipeInput> = {}): ReturnType<typeof parseRecipe> {
  return parseRecipe({
    model: demoModel,
    device: 'cpu',
    ...(!changes.nm && changes.sparsity !== 0 && { scheduler: { kind: 'kmeans' } }),
    calibration: {
      corpus: { kind: 'tokens', path: join(folder, 'calibration.safetensors') },
      sequences: 4,
      seqlen: 256,
    },
    evaluation: {
      datasets: [{ name: 'ids', corpus: { kind: 'tokens', path: join(folder, 'evaluation.safetensors') } }],
      seqlen: 256,
    },
    ...changes,
  });
}

describe('a plan', () => {
  it('describes the demo model, and is what its schema says', async () => {
    const made = await plan(recipe({ scheduler: { kind: 'auto' } }), {
      out: join(folder, 'not', 'yet', 'there'),
      signal,
    });
    expect(planSchema.parse(made)).toEqual(made);
    expect(made.model).toEqual({
      folder: demoModel,
      family: 'opt',
      dtype: 'F16',
      parameters: 8_481_792,
      blocks: 8,
      blocksCompressed: 8,
      hidden: 256,
      vocab: 8192,
    });
    expect(made.calibration).toEqual({ sequences: 4, seqlen: 256 });
    // 1000 tokens hold three windows of 256.
    expect(made.evaluation).toEqual([{ dataset: 'ids', seqlen: 256, windows: 3, estimated: false }]);
    expect(made.stages.map(({ stage }) => stage)).toEqual([
      'calibration',
      'fingerprint',
      'evaluate-dense',
      'estimate',
      'choose',
      'compress',
      'evaluate-compressed',
    ]);
    for (const { seconds, peakMemoryBytes } of made.stages) {
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(peakMemoryBytes).toBeGreaterThan(2 ** 25);
    }
    expect(made.seconds).toBeGreaterThan(0);
    expect(made.memory.freeBytes).toBeGreaterThan(0);
    expect(made.disk.freeBytes).toBeGreaterThan(0);
  });

  it('says how large the results and what lies beside them are', async () => {
    const { disk, size } = await plan(recipe({ scheduler: { kind: 'auto' } }), { signal });
    const header = Number(readFileSync(demoFile).readBigUInt64LE(0));
    const tensors = statSync(demoFile).size - 8 - header;
    expect(size.denseBytes).toBe(tensors);
    expect(disk.outputBytes).toBe(tensors);
    // Of two sequences, which the file has more, whole: the dense model and 48 layers; the sequences; the largest layer.
    expect(disk.activationBytes).toBe(2 * 256 * 256 * 4 * (1 + 48) + 4 * 256 * 256 * 4 + 2 * 1024 * 256);
    // All of it is gone before the model is written, which takes less with what it needs.
    expect(disk.totalBytes).toBe(disk.activationBytes);
    const uniform = await plan(recipe({ scheduler: { kind: 'uniform' } }), { signal });
    expect(uniform.disk.activationBytes).toBe(2 * 4 * 256 * 256 * 4);
    // Inputs and outputs of a block, [4, 256, 256] float32 each, more than the evaluation's [3, 256, 256].
    expect(uniform.disk.totalBytes).toBe(disk.outputBytes + 2 * 4 * 256 * 256 * 4);
    // Of 8 blocks' 12 * 256² weights in 16 bits, 30 % stay, and each has a bit in the mask.
    const weights = 8 * 12 * 256 * 256;
    expect(size.nonZeroBytes).toBeCloseTo(tensors - 2 * weights + 0.3 * 2 * weights + weights / 8, -1);
  });

  it('counts codes, scales and zero points of what is quantized, and the files of scales', async () => {
    const weights = 8 * 12 * 256 * 256;
    const fc2 = 8 * 4 * 256 * 256;
    // Rows by groups of 128 of a block: four times 256 by 2, fc1 1024 by 2; fc2 is left out.
    const grids = 8 * (4 * 256 * 2 + 1024 * 2);
    const exceptions = [{ layers: '*.fc2', bits: null }];
    const dense = await plan(recipe({ sparsity: 0, quantization: { bits: 4, exceptions } }), { signal });
    expect(dense.stages.map(({ stage }) => stage)).not.toContain('estimate');
    expect(dense.disk.outputBytes).toBe(dense.size.denseBytes + 3 * grids);
    // Codes alone take less than a mask and codes; a layer that stays as it is has a mask.
    const codes = ((weights - fc2) * 4) / 8 + 2.5 * grids;
    expect(dense.size.denseBytes - dense.size.nonZeroBytes).toBeCloseTo(2 * (weights - fc2) - codes - fc2 / 8, -1);

    const scattered = { bits: 3, groupSize: 64, symmetric: true, actOrder: true } as const;
    const sparse = await plan(recipe({ sparsity: 0.75, quantization: scattered, evaluation: {} }), { signal });
    const groups = 8 * (4 * 256 * 4 + 1024 * 4 + 256 * 16);
    const numbers = 8 * 4 * (5 * 256 + 1024);
    expect(sparse.disk.outputBytes).toBe(sparse.size.denseBytes + 2 * groups + numbers);
    const packed = weights / 8 + (0.25 * weights * 3) / 8 + 2 * groups + numbers;
    expect(sparse.size.denseBytes - sparse.size.nonZeroBytes).toBeCloseTo(2 * weights - packed, -1);
  });

  it('takes rounding to nearest for what it is: no data, but time', async () => {
    const quantization = { bits: 4 } as const;
    const nearest = { method: 'magnitude', sparsity: 0, evaluation: {}, calibration: {} } as const;
    const rounded = await plan(recipe({ ...nearest, quantization }), { signal });
    expect(rounded.stages.map(({ stage }) => stage)).toEqual(['calibration', 'fingerprint', 'compress']);
    expect(rounded.calibration).toBeNull();
    expect(rounded.seconds).toBeGreaterThan(0);
  });

  const refusals: readonly [Partial<RecipeInput>, Partial<Quantization>, string][] = [
    [{ method: 'magnitude' }, { actOrder: true }, 'recipe.act-order-without-sweep'],
    [{ method: 'wanda' }, { actOrder: true }, 'recipe.act-order-without-sweep'],
    [{ nm: { n: 2, m: 4 } }, { actOrder: true }, 'recipe.act-order-with-nm'],
    [{}, { exceptions: [{ layers: 'model.decoder.layers.8.*', bits: 8 }] }, 'recipe.exception-without-layers'],
    [{}, { exceptions: [{ layers: 'fc1', bits: 8 }] }, 'recipe.exception-without-layers'],
  ];
  it.each(refusals)('refuses %j with %j', async (changes, quantization, code) => {
    const refused = recipe({ ...changes, quantization: { bits: 4, ...quantization } });
    await expect(plan(refused, { signal })).rejects.toMatchObject({ code });
  });

  it('follows the recipe', async () => {
    const magnitude = await plan(
      recipe({ method: 'magnitude', scheduler: { kind: 'uniform' }, evaluation: {}, calibration: {} }),
      { signal },
    );
    expect(magnitude.stages.map(({ stage }) => stage)).toEqual(['calibration', 'fingerprint', 'compress']);
    expect(magnitude.disk.activationBytes).toBe(0);
    expect(magnitude.operations).toBe(0);
    const pattern = await plan(recipe({ nm: { n: 2, m: 4 }, blocks: 1, evaluation: {} }), { signal });
    expect(pattern.disk.activationBytes).toBe(4 * 256 * 256 * 4);
    const weights = 12 * 256 * 256;
    expect(pattern.size.denseBytes - pattern.size.nonZeroBytes).toBeCloseTo(weights - weights / 8, -1);
    expect(pattern.model.blocksCompressed).toBe(1);
  });

  it('takes the mean of a file of sparsities', async () => {
    const { family } = await openModel(demoModel);
    // A layer in four has a third of the block's weights: fc1.
    const sparsities = Object.fromEntries(family.layers(0).map(({ name, type }) => [name, type === 'fc1' ? 0.9 : 0.3]));
    const path = join(folder, 'sparsities.json');
    writeFileSync(path, JSON.stringify(sparsities));
    const { size } = await plan(recipe({ scheduler: { kind: 'file', path }, blocks: 1 }), { signal });
    const weights = 12 * 256 * 256;
    expect(size.denseBytes - size.nonZeroBytes).toBeCloseTo(2 * weights * ((4 * 0.9 + 8 * 0.3) / 12) - weights / 8, -1);
  });

  it('of a size says what its archive and the search for it take at most', async () => {
    const scheduler = { kind: 'uniform' } as const;
    const made = await plan(recipe({ fit: { kind: 'size', bytes: 7.5e6 }, scheduler }), { signal });
    expect(planSchema.parse(made)).toEqual(made);
    const { disk, size, search, seconds } = made;
    // Foreseen at the target that the search begins with: more than the goal, which is of the coded archive.
    expect(disk.archiveBytes).toBe(size.nonZeroBytes);
    expect(disk.archiveBytes).toBeGreaterThan(7.5e6);
    // It is written when the activations, which are less here, are gone.
    expect(disk.activationBytes).toBeLessThan(disk.archiveBytes);
    expect(disk.totalBytes).toBe(disk.outputBytes + disk.archiveBytes);
    const dense = made.stages.find(({ stage }) => stage === 'evaluate-dense')?.seconds ?? NaN;
    expect(search).toMatchObject({ attempts: 4, diskBytes: 4 * disk.outputBytes + disk.archiveBytes });
    expect(search?.seconds).toBeCloseTo(4 * seconds - 3 * dense, 9);
    const target = await plan(recipe({ scheduler }), { signal });
    expect(target.disk.archiveBytes).toBe(0);
    expect(target.search).toBeNull();
  });

  it('of a perplexity counts what the search measures first, once', async () => {
    const fit = { kind: 'perplexity', perplexity: 100 } as const;
    const of = async (kind: 'uniform' | 'alpha', goal: typeof fit | null): Promise<Plan> =>
      await plan(recipe({ fit: goal, scheduler: { kind } }), { signal });
    const secondsOf = ({ stages }: Plan, name: string): number =>
      stages.find(({ stage }) => stage === name)?.seconds ?? 0;
    const [uniform, alpha, spectra] = [await of('uniform', fit), await of('alpha', fit), await of('alpha', null)];
    expect(uniform.disk.archiveBytes).toBe(0);
    const kept = secondsOf(uniform, 'evaluate-dense') + secondsOf(uniform, 'estimate');
    expect(uniform.search?.seconds).toBeCloseTo(4 * uniform.seconds - 3 * kept, 9);
    // Sensitivities for the target and spectra for the schedule, of which no run keeps the spectra for the next.
    expect(secondsOf(alpha, 'estimate')).toBeGreaterThan(secondsOf(uniform, 'estimate'));
    expect(alpha.search?.seconds).toBeCloseTo(4 * alpha.seconds - 3 * kept, 9);
    const estimated = ({ stages }: Plan): object | undefined =>
      stages.find(({ stage }) => stage === 'estimate')?.operations;
    expect(estimated(alpha)).toEqual({ ...estimated(uniform), ...estimated(spectra) });
  });

  it('estimates the windows of texts to a few percent, without reading them', async () => {
    const corpus = { kind: 'texts' as const, paths: [demoTexts.evaluation] };
    const { evaluation } = await plan(recipe({ evaluation: { datasets: [{ name: 'demo', corpus }], seqlen: 256 } }), {
      signal,
    });
    const read = await evaluationTokens(
      { name: 'demo', corpus },
      { seqlen: 256, windows: null, vocab: 8192 },
      sourcesOf(await openModel(demoModel)),
    );
    expect(evaluation[0]?.estimated).toBe(true);
    expect(Math.abs((evaluation[0]?.windows ?? 0) / read.windows - 1)).toBeLessThan(0.1);
    const few = await plan(recipe({ evaluation: { datasets: [{ name: 'demo', corpus }], seqlen: 256, windows: 7 } }), {
      signal,
    });
    expect(few.evaluation[0]?.windows).toBe(7);
  });

  it('counts the bytes around the texts of a .jsonl', async () => {
    const path = join(folder, 'texts.jsonl');
    const text = readFileSync(join(demoTexts.calibration, 'address-1790_george_washington_n.txt'), 'utf8').slice(
      0,
      2000,
    );
    writeFileSync(path, `${JSON.stringify({ other: 'x'.repeat(2000), text })}\n`.repeat(60));
    const corpus = { kind: 'texts' as const, paths: [path] };
    const { evaluation } = await plan(recipe({ evaluation: { datasets: [{ name: 'lines', corpus }], seqlen: 256 } }), {
      signal,
    });
    const read = await evaluationTokens(
      { name: 'lines', corpus },
      { seqlen: 256, windows: null, vocab: 8192 },
      sourcesOf(await openModel(demoModel)),
    );
    expect(Math.abs((evaluation[0]?.windows ?? 0) - read.windows)).toBeLessThanOrEqual(1 + 0.02 * read.windows);
  });

  it('keeps what it measured', async () => {
    await plan(recipe({ scheduler: { kind: 'auto' } }), { signal });
    const rates = join(folder, 'cache', 'rates');
    const kept = readdirSync(rates).map((name) => readFileSync(join(rates, name), 'utf8'));
    await plan(recipe({ scheduler: { kind: 'auto' } }), { signal });
    expect(readdirSync(rates).map((name) => readFileSync(join(rates, name), 'utf8'))).toEqual(kept);
    expect(readdirSync(join(folder, 'cache')).filter((name) => name.startsWith('rates-'))).toEqual([]);
  });

  it('refuses what the run would refuse', async () => {
    await expect(plan(recipe({ calibration: {} }), { signal })).rejects.toMatchObject({
      code: 'recipe.no-calibration',
    });
    const short = recipe({
      evaluation: {
        datasets: [{ name: 'ids', corpus: { kind: 'tokens', path: join(folder, 'short.safetensors') } }],
        seqlen: 256,
      },
    });
    writeTokens('short.safetensors', [255]);
    await expect(plan(short, { signal })).rejects.toMatchObject({
      code: 'evaluation.too-short',
      params: { dataset: 'ids', tokens: 255 },
    });
    mkdirSync(join(folder, 'empty'));
    await expect(plan(recipe({ model: join(folder, 'empty') }), { signal })).rejects.toMatchObject({
      code: 'checkpoint.no-config',
    });
  });

  it('warns of a search whose attempts together are more than the disk has room for', async () => {
    const sought = recipe({ sparsity: null, fit: { kind: 'size', bytes: 6_000_000 } });
    const codes = async (bytes: number): Promise<string[]> => {
      free.bytes = bytes;
      const made = await plan(sought, { out: folder, signal });
      free.bytes = null;
      return made.warnings.map(({ code }) => code).filter((code) => code.startsWith('plan.') && code !== 'plan.busy');
    };
    const { disk, search } = await plan(sought, { out: folder, signal });
    expect(search?.diskBytes).toBe(disk.totalBytes + 3 * disk.outputBytes);
    expect(await codes(disk.totalBytes - 1)).toEqual(['plan.disk']);
    expect(await codes(disk.totalBytes)).toEqual(['plan.search-disk']);
    expect(await codes(search?.diskBytes ?? 0)).toEqual([]);
  });

  it('warns of a disk that is too small, in words', async () => {
    const many = recipe({
      calibration: {
        corpus: { kind: 'texts', paths: [demoTexts.calibration] },
        sequences: 1_000_000,
        seqlen: 256,
      },
    });
    const made = await plan(many, { out: folder, signal });
    const activations = 2 * 1_000_000 * 256 * 256 * 4;
    expect(made.disk.activationBytes).toBe(activations);
    const fits = activations < (made.disk.freeBytes ?? 0);
    const warning = made.warnings.find(({ code }) => code === 'plan.disk');
    expect(warning === undefined).toBe(fits);
    const sentence = message('plan.disk', { path: '/out', needed: 2000, free: 1000 }, 'en');
    expect(sentence).toContain('2000 MiB for /out');
  });
});
