import type { LayerResult, Report } from './report.ts';

/** Pruned layers as they would be stored without their zeros. */
export interface PrunedSize {
  /** Bytes of all weight files, zeros in place. */
  readonly bytes: number;
  /** Weights in the pruned layers. */
  readonly weights: number;
  /** Bytes of one of them. */
  readonly weightBytes: number;
  /** Mean over them. */
  readonly sparsity: number;
}

/** The checkpoint with its pruned layers as one bit a weight and the values that are left, bytes. */
export function nonZeroBytes({ bytes, weights, weightBytes, sparsity }: PrunedSize): number {
  return Math.ceil(bytes - weights * weightBytes + weights / 8 + (1 - sparsity) * weights * weightBytes);
}

/** Bytes of a weight by its dtype in the checkpoint. */
const weightBytes = new Map([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
]);

export interface PackedSize {
  /** Of all weight files. */
  readonly bytes: number;
  /** Of the compressed layers, all counted: masks, codes, scales, zero points. */
  readonly bitsPerWeight: number;
}

/**
 * A run with its compressed layers packed: one bit a weight that says which are zero, and the values of the others, or
 * their codes with float16 scales; without the mask where that is smaller. null where the dtype is not known.
 */
export function packedSize({ model, layers, recipe }: Pick<Report, 'model' | 'layers' | 'recipe'>): PackedSize | null {
  const perWeight = weightBytes.get(model.dtype);
  if (perWeight === undefined) return null;
  const sum = (of: (layer: LayerResult) => number): number => layers.reduce((total, layer) => total + of(layer), 0);
  const weights = sum(({ rows, cols }) => rows * cols);
  const packed = sum((layer) => packedLayerBytes(layer, perWeight, recipe.quantization));
  return {
    bytes: Math.ceil(model.bytesCompressed - weights * perWeight + packed),
    bitsPerWeight: (8 * packed) / weights,
  };
}

function packedLayerBytes(
  { rows, cols, sparsity, bits }: LayerResult,
  perWeight: number,
  quantization: Report['recipe']['quantization'],
): number {
  const weights = rows * cols;
  const kept = Math.round((1 - sparsity) * weights);
  if (bits === null || quantization === null) return weights / 8 + kept * perWeight;
  const { groupSize, symmetric } = quantization;
  const groups = rows * (groupSize === null ? 1 : Math.ceil(cols / groupSize));
  const codes = Math.min(weights / 8 + (kept * bits) / 8, (weights * bits) / 8);
  return codes + 2 * groups + (symmetric ? 0 : (groups * bits) / 8);
}
