import { TamisError } from '../../contract/errors.ts';
import type { Model } from '../model/open.ts';
import { blockOperations, type BlockOperations } from '../model/costs.ts';
import { tapsThatFit } from '../plan/gpu-memory.ts';
import { shapeOf } from '../model/shape.ts';
import type { ActivationShape } from '../machine/activations.ts';
import type { Clock } from '../machine/clock.ts';
import type { Progress } from '../run/progress.ts';
import type { Run } from '../run/run.ts';
import type { BlockPass, Pass } from '../runtime/passes.ts';
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
  return {
    model,
    session,
    gpu,
    tapsOnGpu: tapsThatFit(shapeOf(model).layers, gpu?.memoryBytes ?? null),
    tokens,
    sequences,
    seqlen,
    percdamp,
    signal,
    clock,
    progress,
    emit,
    operations: sequenceOperations(model, seqlen),
  };
}

/** How the sequences go through a graph, its seconds counted as a kind of work. */
export function passOf({ session, seqlen, signal, clock }: Calibration, kind: 'forward' | 'propagate'): Pass {
  return {
    ...session,
    seqlen,
    beforeRun: () => signal.throwIfAborted(),
    time: (work) => clock.time(kind, work),
  };
}

/** Counts a block's runs as progress. */
export function countRuns({ progress, operations, seqlen }: Calibration): NonNullable<BlockPass['afterRun']> {
  return ({ count }) => progress.add(operations.forward * count, count * seqlen);
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
