import type { Plan } from '../../contract/plan.ts';
import { groupsOf, hasScatteredGroups } from '../../contract/quantization.ts';
import { methods } from '../../contract/recipe/methods.ts';
import type { Quantization } from '../../contract/recipe.ts';
import type { PackedLayer } from '../../contract/size.ts';
import { branchCount, driftWidth, sum } from '../model/costs.ts';
import { activationBytes, blockBytes } from './seconds.ts';
import type { ModelShape } from '../model/shape.ts';
import type { Sequences, Workload } from './workload.ts';

/**
 * Bytes of what comes out and of what lies in the run's folder meanwhile, beside it or before there is any of it. No two stages go on at
 * once.
 * @param archiveBytes of the packed archive that is written to be measured
 */
export function diskBytes(
  shape: ModelShape,
  work: Workload,
  layers: readonly PackedLayer[],
  archiveBytes: number,
): Omit<Plan['disk'], 'freeBytes'> {
  const { calibration, evaluation, quantization } = work;
  const scales = quantization ? scaleBytes(layers, quantization) : 0;
  const before = Math.max(estimateBytes(shape, work), choiceBytes(shape, work, scales));
  const beside = Math.max(compressBytes(shape, work, calibration), evaluation ? activationBytes(shape, evaluation) : 0);
  const outputBytes = shape.bytes + scales;
  return {
    outputBytes,
    activationBytes: Math.max(before, beside),
    archiveBytes,
    totalBytes: Math.max(before, outputBytes + Math.max(beside, archiveBytes)),
  };
}

/** One file for the estimates, one for all branches, and what is compressed for one: a layer, or all of a block's. */
function estimateBytes(shape: ModelShape, { estimate, calibration, sensitivity, blocks }: Workload): number {
  if (estimate === null || estimate === 'spectra' || calibration === null) return 0;
  const branches = sensitivity
    ? branchCount(shape, blocks, sensitivity) * activationBytes(shape, sensitivity) +
      (sensitivity.bits > 0
        ? blockBytes(shape)
        : Math.max(...shape.layers.map(({ rows, cols }) => rows * cols)) * shape.weightBytes)
    : 0;
  return activationBytes(shape, calibration) + branches;
}

/** A subsample's activations, those of the sequences held back, one block at a time and the scales of all. */
function choiceBytes(shape: ModelShape, work: Workload, scales: number): number {
  if (!work.choice) return 0;
  const { calibration, heldBack } = work.choice;
  const shard = blockBytes(shape) + shape.otherElements * shape.weightBytes;
  return compressBytes(shape, work, calibration) + activationBytes(shape, heldBack) + shard + scales;
}

/**
 * Blocks are compressed from one file of activations into another; with dense targets the dense model's lie beside them, from the second
 * block on, and what it has of one block's taps.
 */
function compressBytes(
  shape: ModelShape,
  { method, blocks, targets }: Workload,
  calibration: Sequences | null,
): number {
  if (calibration === null || !methods[method].calibrates) return 0;
  const own = activationBytes(shape, calibration);
  if (targets !== 'dense') return Math.min(2, blocks) * own;
  const drifts = driftWidth(shape.layers) / shape.hidden;
  return (([1, 3, 4][Math.min(3, blocks) - 1] ?? 0) + drifts) * own;
}

/** The files of scales of all blocks (docs/formats.md), without their headers. */
function scaleBytes(layers: readonly PackedLayer[], quantization: Quantization): number {
  const quantized = layers.filter(({ bits }) => bits !== null);
  return sum(
    quantized.map(({ rows, cols }) => {
      const grids = rows * groupsOf(quantization, cols);
      return (quantization.symmetric ? 2 : 3) * grids + (hasScatteredGroups(quantization, cols) ? 4 * cols : 0);
    }),
  );
}
