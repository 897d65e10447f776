import { groupsOf, hasScatteredGroups } from './quantization.ts';
import type { Quantization } from './recipe.ts';
import type { Report } from './report.ts';

/** Bytes of a weight by its dtype in the checkpoint. */
const dtypeBytes = new Map([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
]);

/** A compressed layer, as far as its packed size goes. */
export interface PackedLayer {
  readonly rows: number;
  readonly cols: number;
  /** Share of zeros. */
  readonly sparsity: number;
  /** Bits of a weight that is kept; null = it stays in the checkpoint's dtype. */
  readonly bits: number | null;
}

export interface PackedModel {
  /** Of all weight files, zeros in place. */
  readonly bytes: number;
  /** Of a weight of a layer in them. */
  readonly weightBytes: number;
  readonly layers: readonly PackedLayer[];
  readonly quantization: Quantization | null;
}

export interface PackedSize {
  /** Of all weight files. */
  readonly bytes: number;
  /** Of the compressed layers, all counted: masks, codes, scales, zero points. */
  readonly bitsPerWeight: number;
}

/**
 * A model with its compressed layers packed: one bit a weight that says which are zero, and the values of the others, or
 * their codes with float16 scales; without the mask where that is smaller.
 */
export function packedModel({ bytes, weightBytes, layers, quantization }: PackedModel): PackedSize {
  const weights = sum(layers, ({ rows, cols }) => rows * cols);
  const packed = sum(layers, (layer) => packedLayerBytes(layer, weightBytes, quantization));
  return { bytes: Math.ceil(bytes - weights * weightBytes + packed), bitsPerWeight: (8 * packed) / weights };
}

/** A finished run's model; null where its dtype is not known. */
export function packedSize({ model, layers, recipe }: Pick<Report, 'model' | 'layers' | 'recipe'>): PackedSize | null {
  const weightBytes = dtypeBytes.get(model.dtype);
  if (weightBytes === undefined) return null;
  const { quantization } = recipe;
  return packedModel({ bytes: model.bytesCompressed, weightBytes, layers, quantization });
}

/** Mean bits of the weights that are kept, before scales; null where the dtype is not known or nothing is kept. */
export function keptBits({ model, layers }: Pick<Report, 'model' | 'layers'>): number | null {
  const weightBytes = dtypeBytes.get(model.dtype);
  const kept = sum(layers, keptWeights);
  if (weightBytes === undefined || kept === 0) return null;
  return sum(layers, (layer) => keptWeights(layer) * (layer.bits ?? 8 * weightBytes)) / kept;
}

/** A zero point takes as many bits as a code; where groups are scattered, each column has the number of its group. */
function packedLayerBytes(layer: PackedLayer, weightBytes: number, quantization: Quantization | null): number {
  const { rows, cols, bits } = layer;
  const weights = rows * cols;
  const kept = keptWeights(layer);
  if (bits === null || quantization === null) return weights / 8 + kept * weightBytes;
  const groups = rows * groupsOf(quantization, cols);
  const codes = Math.min(weights / 8 + (kept * bits) / 8, (weights * bits) / 8);
  const groupNumbers = hasScatteredGroups(quantization, cols) ? 4 * cols : 0;
  return codes + 2 * groups + (quantization.symmetric ? 0 : (groups * bits) / 8) + groupNumbers;
}

function keptWeights({ rows, cols, sparsity }: PackedLayer): number {
  return (1 - sparsity) * rows * cols;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
