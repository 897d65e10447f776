import { groupsOf, hasScatteredGroups } from './quantization.ts';
import type { Quantization } from './recipe.ts';
import type { Report } from './report.ts';

const dtypeBytes = new Map([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
]);

/** Bytes of a weight of a safetensors dtype; null where layers are never of it. */
export function weightBytesOf(dtype: string): number | null {
  return dtypeBytes.get(dtype) ?? null;
}

/** A compressed layer, as far as its packed size goes. */
export interface PackedLayer {
  readonly rows: number;
  readonly cols: number;
  /** Share of zeros. */
  readonly sparsity: number;
  /** Bits of a weight that is kept; null = it stays in the checkpoint's type. */
  readonly bits: number | null;
}

/** A checkpoint with compressed layers. */
export interface PackedModel {
  /** Bytes of all weight files, zeros in place. */
  readonly bytes: number;
  /** Bytes of one weight of a layer in them. */
  readonly weightBytes: number;
  readonly layers: readonly PackedLayer[];
  readonly quantization: Quantization | null;
}

/**
 * Bits of a layer in the packed archive: one a weight says whether it is zero; then the values of the others, and for quantized ones
 * a float16 scale and, if asymmetric, a zero point for every row and group, and a number for every column where groups are scattered.
 */
export function packedBits(
  { rows, cols, sparsity, bits }: PackedLayer,
  quantization: Quantization | null,
  weightBytes: number,
): number {
  const kept = (1 - sparsity) * rows * cols;
  if (bits === null || quantization === null) return rows * cols + kept * 8 * weightBytes;
  const groups = groupsOf(quantization, cols);
  const grid = 16 + (quantization.symmetric ? 0 : bits);
  const groupNumber = groups > 256 ? 16 : 8;
  return (
    rows * (cols + groups * grid) + kept * bits + (hasScatteredGroups(quantization, cols) ? cols * groupNumber : 0)
  );
}

/** Bits a weight of all layers together, packed. */
export function packedBitsPerWeight({ layers, quantization, weightBytes }: Omit<PackedModel, 'bytes'>): number {
  const packed = sum(layers, (layer) => packedBits(layer, quantization, weightBytes));
  return packed / sum(layers, weights);
}

/** Mean bits of the weights that are kept; null where none are. */
export function keptBits({ layers, weightBytes }: Pick<PackedModel, 'layers' | 'weightBytes'>): number | null {
  const kept = (layer: PackedLayer): number => (1 - layer.sparsity) * weights(layer);
  const all = sum(layers, kept);
  return all === 0 ? null : sum(layers, (layer) => kept(layer) * (layer.bits ?? 8 * weightBytes)) / all;
}

/** The checkpoint with its compressed layers packed, bytes. */
export function packedBytes({ bytes, weightBytes, layers, quantization }: PackedModel): number {
  const dense = weightBytes * sum(layers, weights);
  return Math.ceil(bytes - dense + sum(layers, (layer) => packedBits(layer, quantization, weightBytes)) / 8);
}

/** A run packed: bytes of the checkpoint, and bits a weight of the compressed layers. */
export interface PackedRun {
  readonly bytes: number;
  readonly bitsPerWeight: number;
}

/** What a run would take packed; null where its dtype is not known. */
export function packedRun({ model, layers, recipe }: Pick<Report, 'model' | 'layers' | 'recipe'>): PackedRun | null {
  const weightBytes = weightBytesOf(model.dtype);
  if (weightBytes === null) return null;
  const packed = { bytes: model.bytesCompressed, weightBytes, layers, quantization: recipe.quantization };
  return { bytes: packedBytes(packed), bitsPerWeight: packedBitsPerWeight(packed) };
}

function weights({ rows, cols }: Pick<PackedLayer, 'rows' | 'cols'>): number {
  return rows * cols;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
