import { describe, expect, test } from 'vitest';

import type { ExportFormat } from '../../src/contract/exports.ts';
import { quantizationSchema } from '../../src/contract/recipe.ts';
import { openFamily } from '../../src/worker/families/index.ts';
import type { CodedLayer, FinishedRun } from '../../src/worker/formats/finished-run.ts';
import { formats } from '../../src/worker/formats/formats.ts';
import { quantizeConfig } from '../../src/worker/formats/gptq/format.ts';
import { native, type TensorInfo } from '../../src/worker/native.ts';
import type { Model } from '../../src/worker/model/open.ts';
import { fixtureConfig, fixtureFolder } from '../fixtures/models.ts';
import { sampleReport } from '../fixtures/report.ts';

const report = sampleReport();
const folder = fixtureFolder('llama-grouped');
const held = new Map(
  native.Checkpoint.open(folder)
    .tensors()
    .map((info) => [info.name, info]),
);
const llama = openFamily({ folder, config: fixtureConfig('llama-grouped'), tensors: held });

interface Changes extends Partial<CodedLayer> {
  family?: string;
  /** Names of layers that are not quantized. */
  others?: readonly string[];
  extra?: string;
}

/** A run with one quantized layer, as far as it is looked at before anything is written. */
function runWith({ family = 'llama', others = [], extra, ...changes }: Changes): FinishedRun {
  const layer: CodedLayer = {
    name: 'model.layers.0.mlp.up_proj',
    block: 0,
    rows: 64,
    cols: 128,
    bits: 4,
    groupSize: 128,
    symmetric: true,
    isScattered: false,
    isPruned: true,
    transposed: false,
    ...changes,
  };
  const names = [layer.name, ...others];
  const info = (name: string): TensorInfo => ({
    name,
    dtype: 'F16',
    shape: [layer.rows, layer.cols],
    file: '',
    offset: 0,
    bytes: 0,
  });
  const tensors = [...names.map((name) => `${name}.weight`), ...(extra === undefined ? [] : [extra])];
  const model = {
    folder: '/nowhere',
    config: {},
    dtype: 'F16',
    tensors: new Map(tensors.map((name) => [name, info(name)])),
    family: {
      gguf: family === 'llama' ? llama.gguf : null,
      ...{ family, blocks: 1, maxSeqlen: 32, attention: { heads: 2, kvHeads: 1, size: 4 } },
      layers: () => names.map((name) => ({ name, tap: '', type: '' })),
    },
  } as unknown as Model;
  const { bits, groupSize, symmetric } = layer;
  const quantization = quantizationSchema.parse({ bits, groupSize, symmetric });
  return {
    folder: '/nowhere',
    report: { ...report, recipe: { ...report.recipe, quantization } },
    model,
    layers: new Map([[layer.name, layer]]),
    open: () => Promise.reject(new Error('nothing is opened')),
  };
}

async function refusalOf(format: ExportFormat, changes: Changes): Promise<string | null> {
  return (await formats[format].refusal(runWith(changes)))?.code ?? null;
}

function warningsOf(format: ExportFormat, changes: Changes): string[] {
  return formats[format].warnings(runWith(changes)).map(({ code }) => code);
}

describe('a run does not fit', () => {
  test.each<[ExportFormat, Changes, string | null]>([
    ['gptq', {}, null],
    ['gptq', { bits: 3, rows: 30 }, 'export.part-of-a-word'],
    ['gptq', { bits: 3, cols: 48 }, 'export.part-of-a-word'],
    ['gptq', { bits: 2, rows: 32, cols: 48 }, null],
    ['gptq_v2', { isScattered: true }, null],
    ['compressed-tensors', { bits: 8 }, null],
    ['compressed-tensors', { bits: 3 }, 'export.bits'],
    ['compressed-tensors', { isScattered: true }, 'export.scattered'],
    ['compressed-tensors', { transposed: true }, 'export.transposed'],
    ['onnx', { isScattered: true }, 'export.scattered'],
    ['onnx', { bits: 3, symmetric: false }, null],
    ['gguf', {}, null],
    ['gguf', { family: 'opt' }, 'export.family'],
    ['gguf', { cols: 48 }, 'export.block-columns'],
    ['gguf', { isScattered: true }, 'export.scattered'],
    ['gguf', { symmetric: false }, 'export.asymmetric-pruned'],
    ['gguf', { symmetric: false, isPruned: false }, null],
    ['gguf', { symmetric: false, isPruned: false, bits: 8 }, 'export.asymmetric-bits'],
    ['gguf', { bits: 8 }, null],
    ['gguf', { extra: 'model.layers.0.adapter.weight' }, 'export.tensor'],
    ['gguf', { extra: 'model.layers.0.self_attn.rotary_emb.inv_freq' }, null],
    ['tamis', { isScattered: true, symmetric: false, bits: 2 }, null],
    ['dense', { isScattered: true, symmetric: false }, null],
  ])('%s with %j: %s', async (format, changes, code) => {
    expect(await refusalOf(format, changes)).toBe(code);
  });
});

describe('those who load it are told', () => {
  test('of groups that some kernels do not take', () => {
    expect(warningsOf('gptq', {})).toEqual(['export.zeros-stay']);
    expect(warningsOf('gptq', { groupSize: 64 })).toContain('export.group-size');
    expect(warningsOf('compressed-tensors', { cols: 160 })).toContain('export.group-columns');
    expect(warningsOf('gptq', { groupSize: null, cols: 160 })).toEqual(['export.zeros-stay']);
    expect(warningsOf('gptq', { groupSize: null, cols: 512 })).toContain('export.channel-kernel');
    expect(warningsOf('gptq', { transposed: true })).toContain('export.conv1d');
    expect(warningsOf('gptq', {})).not.toContain('export.conv1d');
    expect(warningsOf('compressed-tensors', { symmetric: false })).toContain('export.zero-points');
  });

  test('of layers of other bits than the most', () => {
    expect(warningsOf('gptq', { others: ['model.layers.1.mlp.up_proj'] })).toContain('export.dynamic');
    expect(warningsOf('gptq_v2', {})).not.toContain('export.dynamic');
  });

  test('that dense storage is as large as it was, and that a file has no vocabulary', () => {
    expect(warningsOf('dense', {})).toEqual(['export.dense-size']);
    expect(warningsOf('gguf', {})).toContain('export.no-tokenizer');
    expect(warningsOf('tamis', {})).toEqual([]);
  });
});

test('GPTQ names what is not quantized, blocks that were not compressed among it', () => {
  const config = quantizeConfig(runWith({ others: ['model.layers.1.mlp.up_proj'] }), 'gptq');
  expect(config['dynamic']).toEqual({ [String.raw`-:.*model\.layers\.1\.mlp\.up_proj$`]: {} });
  const [pattern = ''] = Object.keys(config['dynamic'] as object);
  const regex = new RegExp(pattern.slice(2));
  expect(
    ['model.layers.1.mlp.up_proj', 'model.layers.11.mlp.up_proj', 'model.layers.1.mlp.up_proj2'].map((name) =>
      regex.test(name),
    ),
  ).toEqual([true, false, false]);
});
