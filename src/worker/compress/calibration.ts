import { TamisError } from '../../contract/errors.ts';
import type { Model } from '../model/open.ts';
import { blockOperations, type BlockOperations } from '../model/costs.ts';
import { tapsThatFit } from '../plan/gpu-memory.ts';
import { shapeOf } from '../model/shape.ts';
import type { ActivationShape } from '../machine/activations.ts';
import type { Clock } from '../machine/clock.ts';
import type { Progress } from '../run/progress.ts';
import type { Run } from '../run/run.ts';
import { batchSequences } from '../runtime/forward.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { Solver } from './solver.ts';

/** What every pass of the calibration sequences through a model's blocks needs. */
export interface Calibration extends Solver {
  readonly model: Model;
  readonly session: SessionOptions;
  /** int32 [sequences, seqlen] */
  readonly tokens: Int32Array;
  readonly sequences: number;
  readonly seqlen: number;
  /** Sequences in one run of a graph: fixed, because a row's result may depend on the batch around it. */
  readonly batch: number;
  readonly percdamp: number;
  readonly clock: Clock;
  readonly progress: Progress;
  /** Of one block and one sequence (forward, gram) or one block (the rest). */
  readonly operations: BlockOperations;
}

export function calibrationOf(run: Run, clock: Clock, progress: Progress): Calibration {
  const { model, devices, signal, emit } = run;
  const { session, gpu } = devices;
  const { percdamp } = run.recipe;
  const { tokens, sequences, seqlen } = calibrationTokens(run);
  const batch = batchSequences(seqlen);
  return {
    model,
    session,
    gpu,
    tapsOnGpu: tapsThatFit(shapeOf(model).layers, gpu?.memoryBytes ?? null),
    tokens,
    sequences,
    seqlen,
    batch,
    percdamp,
    signal,
    clock,
    progress,
    emit,
    operations: sequenceOperations(model, seqlen),
  };
}

/** Of the inputs of a block for all sequences. */
export function activationShape({ sequences, seqlen, model }: Calibration): ActivationShape {
  return { sequences, seqlen, hidden: model.family.hidden };
}

/** Operations of all sequences in one block, by kind. */
export function passOperations(run: Run): BlockOperations {
  const one = sequenceOperations(run.model, run.calibration?.seqlen ?? 0);
  const sequences = run.calibration?.sequences ?? 0;
  return { ...one, forward: one.forward * sequences, gram: one.gram * sequences };
}

/** Of one sequence in one block. */
export function sequenceOperations(model: Model, seqlen: number): BlockOperations {
  return blockOperations(shapeOf(model).layers, seqlen);
}

function calibrationTokens({ calibration }: Run): NonNullable<Run['calibration']> {
  if (calibration === null) throw new TamisError('recipe.no-calibration');
  return calibration;
}
