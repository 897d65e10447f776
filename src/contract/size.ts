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
  /** Bytes of all weight files, zeros in place. */
  readonly bytes: number;
  /** Bytes of one weight of a layer in them. */
  readonly weightBytes: number;
  readonly layers: readonly PackedLayer[];
  readonly quantization: Quantization | null;
}

export interface PackedSize {
  /** Bytes of all weight files. */
  readonly bytes: number;
  /** Bits a weight of the compressed layers, all counted: masks, codes, scales, zero points. */
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

type Finished = Pick<Report, 'model' | 'layers' | 'recipe'>;

/** A finished run's model; null where its dtype is not known. */
export function packedSize(report: Finished): PackedSize | null {
  const model = compressedModel(report);
  return model && packedModel(model);
}

/** What a finished run's model is packed from; null where its dtype is not known. */
export function compressedModel({ model, layers, recipe }: Finished): PackedModel | null {
  const weightBytes = dtypeBytes.get(model.dtype);
  if (weightBytes === undefined) return null;
  return { bytes: model.bytesCompressed, weightBytes, layers, quantization: recipe.quantization };
}

/** Mean bits of the weights that are kept, before scales; null where the dtype is not known or nothing is kept. */
export function keptBits({ model, layers }: Pick<Report, 'model' | 'layers'>): number | null {
  const weightBytes = dtypeBytes.get(model.dtype);
  const kept = sum(layers, keptWeights);
  if (weightBytes === undefined || kept === 0) return null;
  return sum(layers, (layer) => keptWeights(layer) * (layer.bits ?? 8 * weightBytes)) / kept;
}

/** What the archive's entropy coder leaves of values, by their dtype, and of codes: about, as measured (docs/scheduling.md). */
const codedShares = new Map([
  ['F32', 0.9],
  ['F16', 0.8],
  ['BF16', 0.7],
]);
const CODED_CODES = 0.9;

/**
 * What the packed archive of a model about comes to: its masks at their entropy, values and codes at the share that the coder usually
 * leaves. It falls with the sparsity, but for the first few percent of few bits.
 */
export function archiveEstimate({ bytes, weightBytes, layers, quantization }: PackedModel, dtype: string): number {
  const share = codedShares.get(dtype) ?? 1;
  const weights = sum(layers, ({ rows, cols }) => rows * cols);
  const coded = sum(layers, (layer) => {
    const mask = (layer.rows * layer.cols * entropy(layer.sparsity)) / 8;
    const { bits } = layer;
    if (bits === null || quantization === null) return mask + keptWeights(layer) * weightBytes * share;
    return mask + (keptWeights(layer) * bits * CODED_CODES) / 8 + gridBytes(layer, bits, quantization);
  });
  return (bytes - weights * weightBytes) * share + coded;
}

/** The entropy of a bit that is set with probability `p`, in bits. */
function entropy(p: number): number {
  return p <= 0 || p >= 1 ? 0 : -p * Math.log2(p) - (1 - p) * Math.log2(1 - p);
}

function packedLayerBytes(layer: PackedLayer, weightBytes: number, quantization: Quantization | null): number {
  const { rows, cols, bits } = layer;
  const weights = rows * cols;
  const kept = keptWeights(layer);
  if (bits === null || quantization === null) return weights / 8 + kept * weightBytes;
  const codes = Math.min(weights / 8 + (kept * bits) / 8, (weights * bits) / 8);
  return codes + gridBytes(layer, bits, quantization);
}

/** Scales and zero points: one takes as many bits as a code; where groups are scattered, each column has the number of its group. */
function gridBytes({ rows, cols }: PackedLayer, bits: number, quantization: Quantization): number {
  const groups = rows * groupsOf(quantization, cols);
  const groupNumbers = hasScatteredGroups(quantization, cols) ? 4 * cols : 0;
  return 2 * groups + (quantization.symmetric ? 0 : (groups * bits) / 8) + groupNumbers;
}

function keptWeights({ rows, cols, sparsity }: PackedLayer): number {
  return (1 - sparsity) * rows * cols;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
