import type { Plan } from '../../contract/plan.ts';
import { nonZeroBytes } from '../../contract/size.ts';
import { sum } from './costs.ts';
import { activationBytes } from './seconds.ts';
import type { ModelShape } from './shape.ts';
import type { Workload } from './workload.ts';

/**
 * Bytes of what comes out and of what lies beside it meanwhile. Blocks are compressed from one file of activations into another; the
 * estimates and an evaluation have one file each, and no two stages go on at once.
 */
export function diskBytes(
  shape: ModelShape,
  { calibration, evaluation, estimate, method, blocks }: Workload,
): Pick<Plan['disk'], 'outputBytes' | 'activationBytes' | 'totalBytes'> {
  const compressing = method === 'magnitude' ? 0 : Math.min(2, blocks);
  const files = Math.max(estimate === 'pass' ? 1 : 0, compressing);
  const activations = Math.max(
    calibration ? files * activationBytes(shape, calibration) : 0,
    evaluation ? activationBytes(shape, evaluation) : 0,
  );
  return { outputBytes: shape.bytes, activationBytes: activations, totalBytes: shape.bytes + activations };
}

/** Bytes without the zeros of the first `blocks` blocks. `sparsity`: mean over their layers. */
export function bytesWithoutZeros({ layers, ...shape }: ModelShape, blocks: number, sparsity: number): number {
  return nonZeroBytes({ ...shape, weights: blocks * sum(layers.map(({ rows, cols }) => rows * cols)), sparsity });
}
