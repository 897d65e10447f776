import { TamisError } from '../../contract/errors.ts';
import { methods } from '../../contract/recipe/methods.ts';
import type { Recipe } from '../../contract/recipe.ts';
import type { ActivationShape } from '../machine/activations.ts';
import {
  blockOperations,
  invertOperations,
  iterateOperations,
  sweepOperations,
  type BlockOperations,
  type LayerShape,
} from '../model/costs.ts';
import type { Model } from '../model/open.ts';
import { shapeOf } from '../model/shape.ts';
import type { Run, Work } from '../run/run.ts';
import type { BlockPass, Pass } from '../runtime/passes.ts';
import { prunesNothing, solvingMethod } from '../schedule/needs.ts';
import type { CalibrationTokens } from '../texts/sample.ts';

/** The sequences that go through the model's blocks. Error recipe.no-calibration. */
export function calibrationOf({ calibration }: Pick<Run, 'calibration'>): CalibrationTokens {
  if (calibration === null) throw new TamisError('recipe.no-calibration');
  return calibration;
}

/** How the sequences go through a graph: until the run is cancelled, the seconds counted as this kind of work. */
export function passOf(work: Work, kind: 'forward' | 'propagate'): Pass {
  const { devices, signal, clock } = work;
  return {
    ...devices.session,
    seqlen: calibrationOf(work).seqlen,
    beforeRun: () => signal.throwIfAborted(),
    time: (task) => clock.time(kind, task),
  };
}

/** Counts a block's runs as progress. */
export function countRuns(work: Work): NonNullable<BlockPass['afterRun']> {
  const { seqlen } = calibrationOf(work);
  const { forward } = sequenceOperations(work.model, seqlen);
  return ({ count }) => work.progress.add(forward * count, count * seqlen);
}

/** The inputs of a block for all sequences. */
export function activationShape(run: Pick<Run, 'calibration' | 'model'>): ActivationShape {
  const { sequences, seqlen } = calibrationOf(run);
  return { sequences, seqlen, hidden: run.model.family.hidden };
}

/** Operations of all sequences in one block, by kind. */
export function passOperations({ model, calibration }: Pick<Run, 'calibration' | 'model'>): BlockOperations {
  const one = sequenceOperations(model, calibration?.seqlen ?? 0);
  const sequences = calibration?.sequences ?? 0;
  return {
    ...one,
    forward: one.forward * sequences,
    upToTaps: one.upToTaps * sequences,
    gram: one.gram * sequences,
  };
}

/** Operations of a layer that is pruned, or quantized. */
export function solvingOperations(recipe: Recipe, layer: Pick<LayerShape, 'rows' | 'cols'>): number {
  if (!methods[solvingMethod(recipe)].iterates) return sweepOperations(layer);
  const [prunes, quantizes] = [!prunesNothing(recipe), recipe.quantization !== null];
  const inverting = prunes ? invertOperations(layer.cols) : 0;
  return inverting + iterateOperations(layer, { prunes, quantizes }) + (quantizes ? sweepOperations(layer) : 0);
}

/** Operations in one block of one sequence (forward, gram), or of the block itself (the rest). */
export function sequenceOperations(model: Model, seqlen: number): BlockOperations {
  return blockOperations(shapeOf(model).layers, seqlen);
}
