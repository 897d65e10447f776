import { describe as describeError } from '../../src/contract/describe.ts';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { exportFormats, type ExportFormat, type ExportOffer, type ExportResult } from '../../src/contract/exports.ts';
import { parseRecipe, type RecipeInput } from '../../src/contract/recipe.ts';
import { compress } from '../../src/worker/engine.ts';
import { exportOffers, exportRun } from '../../src/worker/export/exports.ts';
import { unpack } from '../../src/worker/formats/unpack.ts';
import { readTensors } from '../fixtures/read-safetensors.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTinyBloom } from '../fixtures/tiny-bloom.ts';
import { writeTinyGpt2 } from '../fixtures/tiny-gpt2.ts';
import { writeTinyLlama } from '../fixtures/tiny-llama.ts';
import { writeTinyOpt, writeTokens } from '../fixtures/tiny-opt.ts';
import { readReportOf, refusal, succeed, tamis } from './helpers.ts';
import { perplexitiesOf, perplexityOf } from '../fixtures/measured.ts';

/** What was measured on a dataset, with this perplexity among it. */
function holding(perplexity: number): unknown {
  const value: unknown = expect.objectContaining({ measure: 'perplexity', value: perplexity });
  return expect.objectContaining({ values: expect.arrayContaining([value]) as unknown });
}

const { path: root, remove } = testFolder('exports');
const file = (name: string): string => join(root, name);
const cache = file('cache');
const never = { signal: new AbortController().signal, onProgress: () => undefined };
const symmetric = { bits: 4, groupSize: 32, symmetric: true } as const;

/** A run of a tiny model, and the formats that it fits. */
interface Case {
  readonly model: (folder: string) => string;
  readonly recipe: Omit<RecipeInput, 'model'>;
  readonly fits: readonly ExportFormat[];
}

const cases: Readonly<Record<string, Case>> = {
  symmetric: {
    model: (folder) => writeTinyOpt(folder, { dtype: 'F16' }),
    recipe: { quantization: symmetric },
    fits: ['dense', 'gptq', 'gptq_v2', 'compressed-tensors', 'onnx', 'tamis'],
  },
  'act-order with exceptions': {
    // Where all weights are positive, the zero point is 0.
    model: (folder) =>
      writeTinyOpt(folder, { change: (tensors) => lift(tensors['model.decoder.layers.0.fc1.weight']) }),
    recipe: {
      sparsity: 0.5,
      quantization: {
        bits: 3,
        groupSize: 32,
        actOrder: true,
        exceptions: [
          { layers: '*.fc2', bits: 8 },
          { layers: '*.layers.1.fc1', bits: null },
        ],
      },
    },
    fits: ['dense', 'gptq_v2', 'tamis'],
  },
  'LLaMA in two widths, per channel': {
    model: (folder) => writeTinyLlama(folder, { dtype: 'BF16', biases: true }),
    recipe: {
      quantization: { ...symmetric, groupSize: null, exceptions: [{ layers: '*.down_proj', bits: 8 }] },
    },
    fits: ['dense', 'gptq', 'gptq_v2', 'compressed-tensors', 'onnx', 'gguf', 'tamis'],
  },
  'LLaMA quantized alone': {
    model: (folder) => writeTinyLlama(folder, { dtype: 'F16' }),
    recipe: { sparsity: 0, quantization: { bits: 4, groupSize: 32 } },
    fits: ['dense', 'gptq', 'gptq_v2', 'compressed-tensors', 'onnx', 'gguf', 'tamis'],
  },
  'LLaMA pruned alone': {
    model: (folder) => writeTinyLlama(folder, { dtype: 'BF16' }),
    recipe: {},
    fits: ['dense', 'onnx', 'gguf', 'tamis'],
  },
  BLOOM: {
    model: (folder) => writeTinyBloom(folder, { dtype: 'F16' }),
    recipe: { quantization: symmetric },
    fits: ['dense', 'gptq', 'gptq_v2', 'compressed-tensors', 'onnx', 'gguf', 'tamis'],
  },
  'GPT-2 in two widths': {
    model: (folder) => writeTinyGpt2(folder, { dtype: 'F16' }),
    recipe: { quantization: { ...symmetric, exceptions: [{ layers: '*.mlp.c_proj', bits: 8 }] } },
    fits: ['dense', 'gptq', 'gptq_v2', 'onnx', 'gguf', 'tamis'],
  },
  'GPT-2 with act-order': {
    model: (folder) => writeTinyGpt2(folder, { dtype: 'BF16' }),
    recipe: { sparsity: 0.5, quantization: { bits: 4, groupSize: 32, actOrder: true } },
    fits: ['dense', 'gptq', 'gptq_v2', 'tamis'],
  },
  'GPT-2 pruned alone': {
    model: (folder) => writeTinyGpt2(folder),
    recipe: {},
    fits: ['dense', 'onnx', 'gguf', 'tamis'],
  },
};
const names = Object.keys(cases);

function lift(tensor: { data: number[] } | undefined): void {
  if (tensor) tensor.data = tensor.data.map((value) => Math.fround(Math.abs(value) + 0.2));
}

function runOf(name: string): string {
  return file(`run-${names.indexOf(name)}`);
}

const evaluation = ['--evaluation-tokens', file('evaluation.safetensors')];
const cpu = ['--device', 'cpu', '--threads', '1'];

beforeAll(async () => {
  process.env['TAMIS_CACHE'] = cache;
  const calibration = writeTokens(file('calibration.safetensors'), [40, 32], 2);
  const dataset = {
    name: 'ev',
    corpus: { kind: 'tokens' as const, path: writeTokens(evaluation[1] ?? '', [1000], 3) },
  };
  for (const [name, { model, recipe }] of Object.entries(cases)) {
    const whole = parseRecipe({
      model: model(file(`model-${names.indexOf(name)}`)),
      calibration: { corpus: { kind: 'tokens', path: calibration }, sequences: 40 },
      evaluation: { datasets: [dataset] },
      device: 'cpu',
      threads: 1,
      scheduler: { kind: 'uniform' },
      ...recipe,
    });
    await compress(whole, runOf(name), { signal: never.signal, onEvent: () => undefined });
  }
});
afterAll(remove);

async function offersOf(name: string): Promise<Map<ExportFormat, ExportOffer>> {
  return new Map((await exportOffers(runOf(name))).map((offer) => [offer.format, offer]));
}

function tensorsOf(folder: string): Map<string, string> {
  const tensors = [...readTensors(folder)];
  return new Map(
    tensors.map(([name, { dtype, shape, bytes }]) => [name, `${dtype} ${shape.join('x')} ${bytes.toString('hex')}`]),
  );
}

interface Exported {
  readonly out: string;
  readonly result: ExportResult;
  readonly told: [stage: string, share: number][];
}

const made = new Map<string, Promise<Exported>>();

/** A run's export, checked; written once. */
function exported(name: string, format: ExportFormat): Promise<Exported> {
  const out = file(`out-${names.indexOf(name)}-${format}`);
  const found = made.get(out) ?? writeExport(name, format, out);
  made.set(out, found);
  return found;
}

async function writeExport(name: string, format: ExportFormat, out: string): Promise<Exported> {
  const told: Exported['told'] = [];
  const result = await exportRun({
    run: runOf(name),
    format,
    out,
    check: true,
    signal: never.signal,
    onProgress: (stage, { done, total }) => told.push([stage, done / total]),
  });
  return { out, result, told };
}

function json(folder: string, name: string): unknown {
  return JSON.parse(readFileSync(join(folder, name), 'utf8'));
}

const fitting = Object.entries(cases).flatMap(([name, { fits }]) => fits.map((format) => [name, format] as const));

describe('an export', () => {
  test.each(names)('is offered where the run fits, and refused elsewhere: %s', async (name) => {
    const offers = await offersOf(name);
    expect([...offers.keys()]).toEqual([...exportFormats]);
    const offered = [...offers.values()].filter((offer) => offer.refusal === null).map(({ format }) => format);
    expect(new Set(offered)).toEqual(new Set(cases[name]?.fits));
  });

  test.each(fitting)(
    'of %s as %s is as large as it was said, has the run’s perplexity, and gives its weights back',
    async (name, format) => {
      const { out, result, told } = await exported(name, format);
      const offered = (await offersOf(name)).get(format)?.bytes ?? 0;
      // What an archive comes to is known when it is coded.
      if (format === 'tamis') expect(result.bytes).toBeLessThanOrEqual(offered);
      else expect(result.bytes).toBe(offered);
      expect(told.filter(([stage]) => stage === 'write').at(-1)).toEqual(['write', 1]);
      expect(told.filter(([stage]) => stage === 'check').at(-1)).toEqual(['check', 1]);
      expect(existsSync(`${out}.partial`)).toBe(false);
      const beside = ['README.md', 'report.html', 'report.json', 'layers.csv', 'recipe.json'];
      expect(readdirSync(out)).toEqual(expect.arrayContaining(beside));

      const run = runOf(name);
      const measured = perplexityOf(result.results?.[0]);
      const own = perplexitiesOf(readReportOf(run))[0]?.compressed ?? NaN;
      // The graph of an ONNX export computes in another order.
      if (format === 'onnx') expect(Math.abs(measured / own - 1)).toBeLessThan(1e-3);
      else expect(measured).toBe(own);

      const back = format === 'dense' ? out : file(`back-${names.indexOf(name)}-${format}`);
      if (format !== 'dense') await unpack(out, back, never);
      expect(tensorsOf(back)).toEqual(tensorsOf(run));
      expect(json(back, 'config.json')).toEqual(json(run, 'config.json'));
    },
  );

  test('counts the bits a weight that its layout takes', async () => {
    const bits = async (format: ExportFormat): Promise<number> =>
      (await exported('LLaMA quantized alone', format)).result.bitsPerWeight;
    // 32 codes, a float16 scale and a float16 least value; 32 codes, a float32 scale and a zero point, two to a byte.
    expect(await bits('gguf')).toBe(5);
    expect(await bits('onnx')).toBeCloseTo(4 + (32 + 4) / 32, 1);
    expect(await bits('dense')).toBeGreaterThan(16);
  });

  test('is recorded in the run’s folder and shown in its report', async () => {
    const run = runOf('symmetric');
    for (const format of ['gptq', 'onnx'] as const) await exported('symmetric', format);
    const html = readFileSync(join(run, 'report.html'), 'utf8');
    const table = /<table id="exports">(.*?)<\/table>/s.exec(html)?.[1] ?? '';
    for (const format of ['gptq', 'onnx']) expect(table).toContain(`>${format}<`);
    expect(html).toContain('Zeros alone speed nothing up');
    const { compressed = NaN } = perplexitiesOf(readReportOf(run))[0] ?? {};
    expect(json(run, 'exports.json')).toContainEqual(
      expect.objectContaining({ format: 'gptq', results: [holding(compressed)] }),
    );
  });
});

describe('what does not fit', () => {
  test.each([
    ['symmetric', 'gguf', { code: 'export.family', params: { family: 'OPT' } }],
    ['act-order with exceptions', 'gptq', { code: 'export.zero-point' }],
    ['act-order with exceptions', 'onnx', { code: 'export.scattered' }],
    ['act-order with exceptions', 'compressed-tensors', { code: 'export.bits' }],
    [
      'GPT-2 in two widths',
      'compressed-tensors',
      {
        code: 'export.transposed',
        params: { format: 'compressed-tensors', layer: 'transformer.h.0.attn.c_attn' },
      },
    ],
    ['LLaMA pruned alone', 'gptq', { code: 'export.not-quantized' }],
    ['LLaMA pruned alone', 'compressed-tensors', { code: 'export.not-quantized' }],
  ] as const)('%s as %s', async (name, format, expected) => {
    expect((await offersOf(name)).get(format)?.refusal).toMatchObject(expected);
    const out = file('refused');
    const refused = exportRun({ run: runOf(name), format, out, check: false, ...never });
    await expect(refused).rejects.toMatchObject({ code: expected.code });
    expect(existsSync(out)).toBe(false);
  });
});

describe('what a quantized folder says of itself', () => {
  const config = async (name: string, format: ExportFormat): Promise<unknown> => {
    const { out } = await exported(name, format);
    return (json(out, 'config.json') as { quantization_config: unknown }).quantization_config;
  };

  test('as GPTQ', async () => {
    expect(await config('symmetric', 'gptq')).toEqual({
      bits: 4,
      group_size: 32,
      desc_act: false,
      sym: true,
      damp_percent: 0.01,
      static_groups: false,
      true_sequential: true,
      lm_head: false,
      quant_method: 'gptq',
      checkpoint_format: 'gptq',
    });
    const { out } = await exported('symmetric', 'gptq');
    expect(json(out, 'quantize_config.json')).toEqual(await config('symmetric', 'gptq'));
  });

  test('as GPTQ with layers of other bits', async () => {
    const layer = (block: number, part: string): string => String.raw`.*model\.decoder\.layers\.${block}\.${part}$`;
    const dynamic = {
      [`+:${layer(0, 'fc2')}`]: { bits: 8 },
      [`-:${layer(1, 'fc1')}`]: {},
      [`+:${layer(1, 'fc2')}`]: { bits: 8 },
      [`+:${layer(2, 'fc2')}`]: { bits: 8 },
    };
    const own = { bits: 3, desc_act: true, sym: false, checkpoint_format: 'gptq_v2' };
    const said = await config('act-order with exceptions', 'gptq_v2');
    expect(said).toMatchObject(own);
    // toMatchObject would let more patterns pass.
    expect(said).toHaveProperty('dynamic', dynamic);
  });

  test('as compressed-tensors', async () => {
    expect(await config('symmetric', 'compressed-tensors')).toEqual({
      quant_method: 'compressed-tensors',
      format: 'pack-quantized',
      quantization_status: 'compressed',
      ignore: ['lm_head', 'model.decoder.embed_tokens', 'model.decoder.embed_positions'],
      kv_cache_scheme: null,
      config_groups: {
        group_0: {
          targets: ['Linear'],
          weights: { num_bits: 4, type: 'int', symmetric: true, strategy: 'group', group_size: 32, dynamic: false },
          input_activations: null,
        },
      },
    });
    const weights = { type: 'int', symmetric: true, strategy: 'channel', dynamic: false };
    const two = await config('LLaMA in two widths, per channel', 'compressed-tensors');
    expect(two).toMatchObject({
      config_groups: {
        group_0: { weights: { num_bits: 4, ...weights } },
        group_1: {
          targets: ['model.layers.0.mlp.down_proj', 'model.layers.1.mlp.down_proj'],
          weights: { num_bits: 8, ...weights },
        },
      },
    });
  });
});

describe('an export that ends early leaves nothing behind', () => {
  test('a destination that is not empty is refused and left alone', async () => {
    const out = file('taken');
    mkdirSync(out);
    writeFileSync(join(out, 'notes.txt'), 'mine');
    const args = ['export', runOf('symmetric'), '--format', 'gptq', '--out'];
    expect(refusal(await tamis([...args, out], { cache }))).toBe(
      `${out} is not empty. Choose a new or an empty folder.`,
    );
    expect(readdirSync(out)).toEqual(['notes.txt']);
    expect(refusal(await tamis([...args, join(out, 'notes.txt')], { cache }))).toContain(
      'Choose a new or an empty folder.',
    );
    expect(readFileSync(join(out, 'notes.txt'), 'utf8')).toBe('mine');
    expect(existsSync(`${out}.partial`)).toBe(false);
  });

  test.each(['gptq', 'onnx', 'tamis'] as const)('cancelled while it writes %s', async (format) => {
    const out = file(`cancelled-${format}`);
    const abort = new AbortController();
    const task = { run: runOf('symmetric'), format, out, check: false };
    const cancelled = exportRun({ ...task, signal: abort.signal, onProgress: () => abort.abort() });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled.no-run' });
    expect(readdirSync(root).filter((name) => name.startsWith('cancelled'))).toEqual([]);
  });

  test('cancelled while the written files are checked keeps them, unmeasured', async () => {
    const out = file('unchecked');
    const abort = new AbortController();
    const result = await exportRun({
      run: runOf('symmetric'),
      format: 'gptq',
      out,
      check: true,
      signal: abort.signal,
      onProgress: (stage) => stage === 'check' && abort.abort(),
    });
    expect(result.results).toBeNull();
    expect(json(runOf('symmetric'), 'exports.json')).toContainEqual(
      expect.objectContaining({ path: out, results: null }),
    );
    expect(readdirSync(cache).filter((name) => /^(unpacked|evaluation)-/.test(name))).toEqual([]);
  });

  test.for(['gptq', 'onnx', 'tamis', 'dense'] as const)(
    'a disk that fills up while it writes %s',
    async (format, { skip }) => {
      const disk = file(`disk-${format}`);
      mkdirSync(disk);
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).status !== 0)
        skip('no tmpfs can be mounted here: it needs root');
      try {
        const out = join(disk, 'out');
        const fill = (): void => {
          if (existsSync(join(disk, 'filler'))) return;
          // Up to the last page, so that the next write of the export is the one that fails.
          spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=4k']);
        };
        const full = exportRun({
          run: runOf('symmetric'),
          format,
          out,
          check: false,
          signal: never.signal,
          onProgress: fill,
        });
        await expect(full).rejects.toMatchObject({ code: 'file.no-space' });
        expect(readdirSync(disk)).toEqual(['filler']);
      } finally {
        spawnSync('umount', [disk]);
      }
    },
  );

  test('a disk without enough space is refused before anything is written', async ({ skip }) => {
    const disk = file('disk-small');
    mkdirSync(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]).status !== 0)
      skip('no tmpfs can be mounted here: it needs root');
    try {
      const task = { run: runOf('symmetric'), format: 'gptq' as const, out: join(disk, 'out'), check: false };
      await expect(exportRun({ ...task, ...never })).rejects.toMatchObject({ code: 'export.no-space' });
      expect(readdirSync(disk)).toEqual([]);
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});

describe('a damaged export', () => {
  /** A copy of an export of the first LLaMA, changed in some way, and what unpacking it says. */
  async function damaged(format: ExportFormat, change: (folder: string) => void): Promise<string> {
    const folder = file(`damaged-${format}`);
    rmSync(folder, { recursive: true, force: true });
    const { out: whole } = await exported('LLaMA in two widths, per channel', format);
    cpSync(whole, folder, { recursive: true });
    change(folder);
    const out = file('from-damaged');
    const said = await unpack(folder, out, never).then(
      () => 'nothing',
      (error: unknown) => describeError(error, 'en'),
    );
    expect(readdirSync(root).filter((name) => name.startsWith('from-damaged'))).toEqual([]);
    return said;
  }

  test('that was cut short is refused by the file’s name', async () => {
    const shard = 'model-00002-of-00003.safetensors';
    expect(await damaged('gptq', (folder) => truncateSync(join(folder, shard), 3000))).toContain(shard);
    expect(await damaged('gguf', (folder) => truncateSync(join(folder, 'model.gguf'), 20000))).toContain('model.gguf');
    expect(await damaged('gguf', (folder) => truncateSync(join(folder, 'model.gguf'), 200))).toContain(
      'is not a GGUF file of Tamis, or is damaged at byte',
    );
    expect(await damaged('onnx', (folder) => truncateSync(join(folder, 'onnx/model.onnx_data'), 5000))).toContain(
      'model.onnx_data',
    );
  });

  test('whose section has changed is refused by the section’s name', async () => {
    const layer = 'model.layers.1.mlp.up_proj.weight';
    const said = await damaged('tamis', (folder) => {
      const path = join(folder, 'model.tamis');
      const bytes = readFileSync(path);
      const at = bytes.indexOf(layer) + layer.length + 40;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    });
    expect(said).toContain(`The section "${layer}" of`);
  });

  test('without what was written of it is none of Tamis', async () => {
    expect(await damaged('gptq', (folder) => rmSync(join(folder, 'tamis.json')))).toContain(
      'it has neither tamis.json nor model.tamis',
    );
  });
});

describe('the command line', () => {
  test('writes an export, measures it, and says how it is loaded', async () => {
    const out = file('cli');
    const run = runOf('symmetric');
    const { stdout } = await succeed(['export', run, '--format', 'gptq', '--out', out, '--check'], { cache });
    expect(stdout).toContain(`Written: ${out}`);
    expect(stdout).toMatch(/^Layers: {2}7\.\d+ bits a weight, all overhead counted$/m);
    expect(stdout).toContain(`GPTQModel.load("${out}")`);
    const { compressed = NaN } = perplexitiesOf(readReportOf(run))[0] ?? {};
    expect(stdout).toContain(`Perplexity of the files: ${compressed.toFixed(2)} (ev, seqlen 32)`);

    const evaluated = await succeed(['eval', out, ...evaluation, ...cpu, '--json'], { cache });
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ results: [holding(compressed)] });
    const back = file('cli-back');
    await succeed(['unpack', out, '--out', back], { cache });
    expect(tensorsOf(back)).toEqual(tensorsOf(run));
    expect(readdirSync(cache).filter((name) => /^(unpacked|evaluation)-/.test(name))).toEqual([]);
  });

  test('unpacks an archive that was sent without its folder', async () => {
    const alone = file('sent.tamis');
    const { out } = await exported('act-order with exceptions', 'tamis');
    cpSync(join(out, 'model.tamis'), alone);
    const back = file('sent-back');
    await succeed(['unpack', alone, '--out', back], { cache });
    expect(tensorsOf(back)).toEqual(tensorsOf(runOf('act-order with exceptions')));
  });

  test('compares two models over the same tokens', async () => {
    const run = runOf('symmetric');
    for (const format of ['gptq', 'gptq_v2'] as const) await exported('symmetric', format);
    const compared = await succeed(
      ['eval', file('model-0'), '--against', file('out-0-gptq'), ...evaluation, ...cpu, '--json'],
      { cache },
    );
    const { comparison } = JSON.parse(compared.stdout) as { comparison: Record<string, number>[] };
    const [{ dense, compressed } = { dense: NaN, compressed: NaN }] = perplexitiesOf(readReportOf(run));
    expect(comparison[0]?.['perplexity']).toBeCloseTo(dense, 4);
    expect(comparison[0]?.['againstPerplexity']).toBeCloseTo(compressed, 4);
    expect(comparison[0]?.['divergence']).toBeGreaterThan(1e-3);
    const { stdout } = await succeed(['eval', run, '--against', file('out-0-gptq_v2'), ...evaluation, ...cpu], {
      cache,
    });
    expect(stdout).toMatch(/evaluation +\S+ +\S+ +1\.0000 +0 +100\.00 % +32 +31/);
  });

  test('refuses a format that it does not know, and a folder that is no run', async () => {
    expect(
      (await tamis(['export', runOf('symmetric'), '--format', 'marlin', '--out', file('x')], { cache })).code,
    ).toBe(2);
    expect(
      refusal(await tamis(['export', file('model-0'), '--format', 'gptq', '--out', file('x')], { cache })),
    ).toContain('is not a run directory');
  });
});
