import type { Plan } from '../../contract/plan.ts';
import { groupsOf, hasScatteredGroups } from '../../contract/quantization.ts';
import type { Quantization } from '../../contract/recipe.ts';
import type { PackedLayer } from '../../contract/size.ts';
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
  { calibration, evaluation, estimate, method, blocks, quantization }: Workload,
  layers: readonly PackedLayer[],
): Pick<Plan['disk'], 'outputBytes' | 'activationBytes' | 'totalBytes'> {
  const compressing = method === 'magnitude' ? 0 : Math.min(2, blocks);
  const files = Math.max(estimate === 'pass' ? 1 : 0, compressing);
  const activations = Math.max(
    calibration ? files * activationBytes(shape, calibration) : 0,
    evaluation ? activationBytes(shape, evaluation) : 0,
  );
  const outputBytes = shape.bytes + (quantization ? scaleBytes(layers, quantization) : 0);
  return { outputBytes, activationBytes: activations, totalBytes: outputBytes + activations };
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
