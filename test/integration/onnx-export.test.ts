import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { afterAll, describe, expect, test } from 'vitest';

import { openModel } from '../../src/worker/model/open.ts';
import { openOnnxModel } from '../../src/worker/runtime/onnx-model.ts';
import { Session } from '../../src/worker/runtime/session.ts';
import { wholeGraph } from '../../src/worker/runtime/whole.ts';
import { BatchGeneration } from '../fixtures/generate.ts';
import { relativeDifference } from '../fixtures/models.ts';
import { numbersOf, readTensors } from '../fixtures/read-safetensors.ts';
import { writeTinyLlama } from '../fixtures/tiny-llama.ts';
import { writeTinyOpt } from '../fixtures/tiny-opt.ts';
import { readReportOf, succeed, tinyFolder } from './helpers.ts';
import type { DatasetResult } from '../../src/contract/measured.ts';
import { perplexitiesOf, perplexityOf } from '../fixtures/measured.ts';

const session = { device: 'cpu', threads: 1 } as const;
const tiny = tinyFolder('onnx-export');
afterAll(() => {
  tiny.remove();
});

/** `close`: how near the logits come. A MatMulNBits' weights are not rounded to the checkpoint's dtype, which the run's are. */
const runs = [
  {
    name: 'OPT, 4 bits in groups of 32 with zero points',
    model: writeTinyOpt(tiny.file('opt-4'), { positions: 600 }),
    flags: ['--sparsity', '0', '--bits', '4', '--group-size', '32', '--seqlen', '600'],
    products: { bits: [4], blockSize: [32], zeroPoints: true },
    close: 1e-5,
  },
  {
    name: 'OPT in float16, half of it pruned, 3 bits symmetric and two layers at 8',
    model: writeTinyOpt(tiny.file('opt-3'), { dtype: 'F16' }),
    flags: ['--sparsity', '0.5', '--bits', '3', '--group-size', '64', '--symmetric', '--exception', '*.2.fc*=8'],
    products: { bits: [4, 8], blockSize: [64], zeroPoints: false },
    close: 1e-3,
  },
  {
    name: 'LLaMA in bfloat16, 2 bits a channel, its second block as it was',
    model: writeTinyLlama(tiny.file('llama-2'), { dtype: 'BF16' }),
    flags: ['--sparsity', '0', '--bits', '2', '--group-size', 'channel', '--exception', '*layers.1.*=none'],
    products: { bits: [2], blockSize: [128], zeroPoints: true },
    close: 5e-3,
  },
];

describe.each(runs)('$name', async ({ name, model, flags, products, close }) => {
  const run = tiny.file(`${name}-run`);
  const out = tiny.file(`${name}-onnx`);
  const recipe = ['--method', 'magnitude', '--scheduler', 'uniform', ...tiny.data, ...flags];
  await succeed(['compress', model, '--out', run, ...recipe], tiny);
  await succeed(['export', run, '--format', 'onnx', '--out', out], tiny);
  const report = readReportOf(run);
  const { layers } = report;
  const perplexity = perplexitiesOf(report);

  test('every quantized layer is a MatMulNBits, and no weight is in the files twice', () => {
    const { graph } = fromBinary(ModelProtoSchema, readFileSync(join(out, 'onnx/model.onnx')));
    const nodes = graph?.node.filter(({ opType }) => opType === 'MatMulNBits') ?? [];
    expect(nodes).toHaveLength(layers.filter(({ bits }) => bits !== null).length);
    const attributes = (wanted: string): number[] => [
      ...new Set(nodes.map(({ attribute }) => Number(attribute.find(({ name }) => name === wanted)?.i ?? -1))),
    ];
    expect(attributes('bits').toSorted()).toEqual(products.bits);
    expect(attributes('block_size')).toEqual(products.blockSize);
    expect(attributes('accuracy_level')).toEqual([0]);
    expect(nodes.every(({ input }) => (input[3] !== '') === products.zeroPoints)).toBe(true);
    const external = graph?.initializer.filter(({ externalData }) => externalData.length > 0) ?? [];
    const places = external.map(({ externalData }) =>
      Object.fromEntries(externalData.map(({ key, value }) => [key, value])),
    );
    expect(new Set(places.map(({ location }) => location))).toEqual(new Set(['model.onnx_data']));
    expect(new Set(places.map(({ offset }) => offset)).size).toBe(external.length);
    const bytes = places.reduce((sum, { length }) => sum + Number(length), 0);
    const size = statSync(join(out, 'onnx/model.onnx_data')).size;
    expect(size - bytes).toBeLessThan(64 * external.length);
    expect(size).toBeGreaterThanOrEqual(bytes);
  });

  test('gives the logits of the run', async () => {
    const opened = await openModel(run);
    await using dense = await Session.open(wholeGraph(opened).build(), session);
    await using exported = await openOnnxModel(out, session);
    const ids = Int32Array.from({ length: 30 }, (_, i) => (i * 37) % 96);
    const wanted = await new BatchGeneration(dense, opened.family).run({
      ids: [[...ids]],
      mask: [new Array<number>(30).fill(1)],
      positions: [[...ids.keys()]],
    });
    for await (const { start, logits } of exported.logits(ids)) {
      expect(start).toBe(0);
      expect(relativeDifference(logits, wanted)).toBeLessThan(close);
    }
  });

  test('has the perplexity of the run, in slices where windows are longer', async () => {
    const evaluation = tiny.data.slice(tiny.data.indexOf('--evaluation-tokens'), -6);
    const seqlen = flags.includes('--seqlen') ? ['--seqlen', '600'] : [];
    const { stdout } = await succeed(['eval', out, ...evaluation, ...seqlen, '--json'], tiny);
    const [measured] = (JSON.parse(stdout) as { results: DatasetResult[] }).results;
    expect(measured?.seqlen).toBe(perplexity[0]?.seqlen);
    expect(Math.abs(perplexityOf(measured) / (perplexity[0]?.compressed ?? NaN) - 1)).toBeLessThan(close);
  });

  test('is read back as the run has it', async () => {
    const back = tiny.file(`${name}-back`);
    await succeed(['unpack', out, '--out', back], tiny);
    const [wanted, read] = [readTensors(run), readTensors(back)];
    expect([...read.keys()].toSorted()).toEqual([...wanted.keys()].toSorted());
    for (const [tensor, value] of wanted) {
      expect(read.get(tensor), tensor).toMatchObject({ dtype: value.dtype, shape: value.shape });
      // Whichever sign a zero has.
      expect(numbersOf(read.get(tensor) ?? value).map((x) => x + 0)).toEqual(numbersOf(value).map((x) => x + 0));
    }
  });

  test('has what clients look for beside it', () => {
    expect(readdirSync(out)).toEqual(
      expect.arrayContaining(['config.json', 'genai_config.json', 'generation_config.json', 'onnx']),
    );
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(config).not.toHaveProperty('quantization_config');
    expect(config['transformers.js_config']).toEqual({ dtype: 'fp32', use_external_data_format: true });
  });
});

test('bench-model measures checkpoints and exports, each in a process of its own', async () => {
  const [first] = runs;
  const paths = [first?.model ?? '', tiny.file(`${first?.name}-onnx`)];
  const sizes = ['--prompt', '300', '--generate', '4', '--device', 'cpu', '--threads', '1'];
  const { stdout } = await succeed(['bench-model', ...paths, ...sizes, '--json'], tiny);
  const results = JSON.parse(stdout) as Record<string, unknown>[];
  expect(results).toMatchObject(paths.map((path, i) => ({ path, device: 'cpu', form: i === 0 ? 'dense' : 'onnx' })));
  for (const { promptTokensPerSecond, generateTokensPerSecond, peakMemoryBytes } of results) {
    expect(promptTokensPerSecond).toBeGreaterThan(0);
    expect(generateTokensPerSecond).toBeGreaterThan(0);
    expect(peakMemoryBytes).toBeGreaterThan(2 ** 20);
  }
});
