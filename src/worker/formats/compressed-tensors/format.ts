import type { CodedLayer, FinishedRun } from '../finished-run.ts';
import {
  groupWarnings,
  notQuantized,
  otherBits,
  scattered,
  transposed,
  zeroPointWarnings,
  zeroWarnings,
} from '../refusals.ts';
import type { Format } from '../format.ts';
import { native } from '../../native.ts';
import { openPacked } from '../packed-source.ts';
import { groupsOf, packedFiles, type LayerPart } from '../packed-layers.ts';
import { companionFiles, jsonFile } from '../plain-files.ts';
import { manifestFile } from '../weight-files.ts';

const format = 'compressed-tensors';

/** compressed-tensors' `pack-quantized` (docs/formats.md). */
export const compressedTensors: Format = {
  format,
  refusal: (run) =>
    Promise.resolve(
      notQuantized(run, format) ?? transposed(run, format) ?? otherBits(run, format, [4, 8]) ?? scattered(run, format),
    ),
  warnings: (run) => [...groupWarnings(run), ...zeroPointWarnings(run), ...zeroWarnings(run)],
  async files(run) {
    return [
      ...packedFiles(run, (layer) => partsOf(run, layer)),
      jsonFile('config.json', { ...run.model.config, quantization_config: quantizationConfig(run) }),
      manifestFile(run, format),
      ...(await companionFiles(run.folder)),
    ];
  },
  open: (folder) =>
    openPacked(folder, (checkpoint, name, { bits, groupSize }) =>
      native.PackedLayer.packQuantized(checkpoint, name, bits, groupSize ?? 0),
    ),
};

function partsOf({ model }: FinishedRun, layer: CodedLayer): LayerPart[] {
  const { rows, cols, bits, symmetric } = layer;
  const groups = groupsOf(layer);
  const words = (codes: number): number => Math.ceil((codes * bits) / 32);
  const shape = new Uint8Array(new BigInt64Array([BigInt(rows), BigInt(cols)]).buffer);
  return [
    { suffix: 'weight_packed', dtype: 'I32', shape: [rows, words(cols)], content: 'ct.weight_packed' },
    // In the weights' dtype: the programs that load them multiply in that of the scales.
    {
      suffix: 'weight_scale',
      dtype: model.dtype,
      shape: [rows, groups],
      content: model.dtype === 'F32' ? 'ct.weight_scale_f32' : 'ct.weight_scale',
    },
    { suffix: 'weight_shape', dtype: 'I64', shape: [2], content: shape },
    ...(symmetric
      ? []
      : [
          {
            suffix: 'weight_zero_point',
            dtype: 'I32',
            shape: [words(rows), groups],
            content: 'ct.weight_zero_point' as const,
          },
        ]),
  ];
}

/** In config.json. What is not quantized is named in `ignore`; where there are two widths each has its layers by name. */
export function quantizationConfig(run: FinishedRun): Record<string, unknown> {
  const layers = [...run.layers.values()];
  const widths = [...new Set(layers.map(({ bits }) => bits))].sort();
  const groups = widths.map((bits, index) => {
    const targets =
      widths.length === 1 ? ['Linear'] : layers.filter((layer) => layer.bits === bits).map(({ name }) => name);
    return [`group_${index}`, { targets, weights: weightsOf(run, bits), input_activations: null }] as const;
  });
  return {
    quant_method: 'compressed-tensors',
    format: 'pack-quantized',
    quantization_status: 'compressed',
    ignore: ignored(run),
    kv_cache_scheme: null,
    config_groups: Object.fromEntries(groups),
  };
}

function weightsOf({ report }: FinishedRun, bits: number): Record<string, unknown> {
  const groupSize = report.recipe.quantization?.groupSize ?? null;
  return {
    num_bits: bits,
    type: 'int',
    symmetric: report.recipe.quantization?.symmetric ?? true,
    ...(groupSize === null ? { strategy: 'channel' } : { strategy: 'group', group_size: groupSize }),
    dynamic: false,
  };
}

/** The head, and every matrix that is not quantized. */
function ignored({ model, layers }: FinishedRun): string[] {
  const matrices = [...model.tensors.values()].filter(
    ({ name, shape }) => name.endsWith('.weight') && shape.length === 2,
  );
  const names = matrices.map(({ name }) => name.replace(/\.weight$/, ''));
  return [...new Set(['lm_head', ...names.filter((name) => !layers.has(name))])];
}
