import type { ExportFormat } from '../../../contract/exports.ts';
import type { Failure } from '../../../contract/failure.ts';
import { layersOf } from '../../model/layers.ts';
import type { FinishedRun, CodedLayer } from '../finished-run.ts';
import {
  channelWarnings,
  conv1dWarnings,
  groupWarnings,
  notQuantized,
  partOfAWord,
  zeroWarnings,
} from '../refusals.ts';
import type { Format } from '../format.ts';
import { native } from '../../native.ts';
import { openPacked } from '../packed-source.ts';
import { groupsOf, packedFiles, type LayerPart } from '../packed-layers.ts';
import { companionFiles, jsonFile } from '../plain-files.ts';
import { manifestFile } from '../weight-files.ts';

/**
 * A GPTQ checkpoint (docs/formats.md). The first version stores a zero point less one, the second as it is: only that one can hold a
 * zero point of 0.
 */
export function gptq(format: Extract<ExportFormat, 'gptq' | 'gptq_v2'>): Format {
  return {
    format,
    refusal: async (run) =>
      notQuantized(run, format) ?? partOfAWord(run, format) ?? (format === 'gptq' ? await zeroPointOfZero(run) : null),
    warnings: (run) => [
      ...exceptionWarnings(run, format),
      ...groupWarnings(run),
      ...channelWarnings(run),
      ...conv1dWarnings(run),
      ...zeroWarnings(run),
    ],
    async files(run) {
      const config = quantizeConfig(run, format);
      return [
        ...packedFiles(run, (layer) => partsOf(layer, format)),
        jsonFile('config.json', { ...run.model.config, quantization_config: config }),
        jsonFile('quantize_config.json', config),
        manifestFile(run, format),
        ...(await companionFiles(run.folder)),
      ];
    },
    open: (folder) =>
      openPacked(folder, (checkpoint, name, { bits, groupSize }) =>
        native.PackedLayer.gptq(checkpoint, name, bits, groupSize ?? 0, format),
      ),
  };
}

function exceptionWarnings(run: FinishedRun, format: 'gptq' | 'gptq_v2'): Failure[] {
  return 'dynamic' in quantizeConfig(run, format) ? [{ code: 'export.dynamic', params: {} }] : [];
}

async function zeroPointOfZero(run: FinishedRun): Promise<Failure | null> {
  for (const layer of run.layers.values()) {
    if (layer.symmetric || !(await run.open(layer)).hasZeroPointZero) continue;
    return { code: 'export.zero-point', params: { layer: layer.name } };
  }
  return null;
}

function partsOf(layer: CodedLayer, format: 'gptq' | 'gptq_v2'): LayerPart[] {
  const { rows, cols, bits } = layer;
  const groups = groupsOf(layer);
  return [
    { suffix: 'qweight', dtype: 'I32', shape: [(cols * bits) / 32, rows], content: 'gptq.qweight' },
    { suffix: 'qzeros', dtype: 'I32', shape: [groups, (rows * bits) / 32], content: `${format}.qzeros` },
    { suffix: 'scales', dtype: 'F16', shape: [groups, rows], content: 'gptq.scales' },
    { suffix: 'g_idx', dtype: 'I32', shape: [cols], content: 'gptq.g_idx' },
  ];
}

/** Both in quantize_config.json and in config.json. `dynamic`: GPTQModel's way to say how single modules differ. */
export function quantizeConfig(run: FinishedRun, format: 'gptq' | 'gptq_v2'): Record<string, unknown> {
  const { quantization, percdamp } = run.report.recipe;
  if (quantization === null) throw new Error('only a quantized run fits');
  const { bits, groupSize, symmetric, actOrder, staticGroups } = quantization;
  const dynamic = [...modules(run, bits)];
  return {
    bits,
    group_size: groupSize ?? -1,
    desc_act: actOrder,
    sym: symmetric,
    damp_percent: percdamp,
    static_groups: staticGroups,
    true_sequential: true,
    lm_head: false,
    quant_method: 'gptq',
    checkpoint_format: format,
    ...(dynamic.length > 0 && { dynamic: Object.fromEntries(dynamic) }),
  };
}

/** A pattern for each layer that is not quantized (`-:`) or has other bits (`+:`). */
function* modules(
  { model, layers }: FinishedRun,
  bits: number,
): Generator<[pattern: string, overrides: Record<string, number>]> {
  for (const { name } of layersOf(model, model.family.blocks)) {
    const layer = layers.get(name);
    const pattern = `.*${name.replaceAll('.', String.raw`\.`)}$`;
    if (!layer) yield [`-:${pattern}`, {}];
    else if (layer.bits !== bits) yield [`+:${pattern}`, { bits: layer.bits }];
  }
}
