import type { ExportFormat } from '../../contract/exports.ts';
import type { Failure } from '../../contract/failure.ts';
import type { Bits } from '../../contract/recipe.ts';
import type { CodedLayer, FinishedRun } from './finished-run.ts';

// Reasons why a run does not fit a format; null where it does. Each names the first layer in the way.

export function notQuantized({ layers }: FinishedRun, format: ExportFormat): Failure | null {
  return layers.size > 0 ? null : { code: 'export.not-quantized', params: { format } };
}

export function otherBits({ layers }: FinishedRun, format: ExportFormat, known: readonly Bits[]): Failure | null {
  const layer = first(layers, ({ bits }) => !known.includes(bits));
  return (
    layer && { code: 'export.bits', params: { format, layer: layer.name, bits: layer.bits, known: known.join(', ') } }
  );
}

export function scattered({ layers }: FinishedRun, format: ExportFormat): Failure | null {
  const layer = first(layers, ({ isScattered }) => isScattered);
  return layer && { code: 'export.scattered', params: { format, layer: layer.name } };
}

/** The programs that load it replace `Linear` modules, and none of GPT-2's Conv1D. */
export function transposed({ layers }: FinishedRun, format: ExportFormat): Failure | null {
  const layer = first(layers, (each) => each.transposed);
  return layer && { code: 'export.transposed', params: { format, layer: layer.name } };
}

/** Codes of columns, or of rows, that do not fill whole words of 32 bits. */
export function partOfAWord({ layers }: FinishedRun, format: ExportFormat): Failure | null {
  const layer = first(layers, ({ rows, cols, bits }) => (rows * bits) % 32 !== 0 || (cols * bits) % 32 !== 0);
  if (layer === null) return null;
  const { name, rows, cols, bits } = layer;
  return { code: 'export.part-of-a-word', params: { format, layer: name, rows, cols, bits } };
}

// What the programs that load it do not all take.

export function groupWarnings({ report, layers }: FinishedRun): Failure[] {
  const size = report.recipe.quantization?.groupSize ?? null;
  if (size === null) return [];
  const narrow = first(layers, ({ cols }) => cols % size !== 0);
  return [
    ...(size === 128 ? [] : [{ code: 'export.group-size' as const, params: { size } }]),
    ...(narrow
      ? [{ code: 'export.group-columns' as const, params: { size, layer: narrow.name, cols: narrow.cols } }]
      : []),
  ];
}

/** Zeros that the format stores like any other weight. */
export function zeroWarnings({ report }: FinishedRun): Failure[] {
  return report.sparsity.target > 0 ? [{ code: 'export.zeros-stay', params: {} }] : [];
}

/** transformers loads zero points of compressed-tensors in one way only. */
export function zeroPointWarnings({ layers }: FinishedRun): Failure[] {
  return first(layers, ({ symmetric }) => !symmetric) ? [{ code: 'export.zero-points', params: {} }] : [];
}

/** GPTQModel's CPU kernel for 4 bits takes no wider groups. */
const KERNEL_COLUMNS = 256;

export function channelWarnings({ layers }: FinishedRun): Failure[] {
  const wide = first(layers, ({ bits, groupSize, cols }) => bits === 4 && groupSize === null && cols > KERNEL_COLUMNS);
  return wide ? [{ code: 'export.channel-kernel', params: { layer: wide.name, columns: KERNEL_COLUMNS } }] : [];
}

/** transformers 5.23 fails where it initializes GPT-2's modules, of which packed ones are no Conv1D any more. */
export function conv1dWarnings({ layers }: FinishedRun): Failure[] {
  const layer = first(layers, (each) => each.transposed);
  return layer ? [{ code: 'export.conv1d', params: { layer: layer.name } }] : [];
}

export function first(
  layers: ReadonlyMap<string, CodedLayer>,
  wanted: (layer: CodedLayer) => boolean,
): CodedLayer | null {
  return [...layers.values()].find(wanted) ?? null;
}
