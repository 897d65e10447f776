import type { Recipe } from '../../contract/recipe.ts';
import type { OperationKind, PlannedStage } from '../../contract/plan.ts';
import { needsStatistics } from '../compress/estimate.ts';
import { blockOperations, headOperations, spectrumOperations, sum } from './costs.ts';
import type { ModelShape } from './shape.ts';

/** What a recipe does to a model, in numbers. */
export interface Workload {
  readonly method: Recipe['method'];
  readonly quantization: Recipe['quantization'];
  /** What the scheduler has to measure first: a calibration pass over the dense model, the weights' spectra, or nothing. */
  readonly estimate: 'pass' | 'spectra' | null;
  /** Blocks to compress. */
  readonly blocks: number;
  /** null where neither method nor scheduler looks at data. */
  readonly calibration: Sequences | null;
  /** The windows of all datasets; null where there are none. */
  readonly evaluation: Sequences | null;
  /** Bytes of text that are tokenized for the calibration, and for each dataset. */
  readonly texts: readonly number[];
  readonly tokenizingSeconds: number;
}

export interface Sequences {
  readonly sequences: number;
  readonly seqlen: number;
}

export type Operations = Readonly<Partial<Record<OperationKind, number>>>;

export function estimateOf(recipe: Recipe): Workload['estimate'] {
  if (recipe.scheduler.kind === 'alpha') return 'spectra';
  return needsStatistics(recipe) ? 'pass' : null;
}

/** The stages that a workload goes through, in order. */
export function stagesOf({ estimate, evaluation }: Workload): PlannedStage[] {
  return [
    'calibration',
    'fingerprint',
    ...(evaluation ? (['evaluate-dense'] as const) : []),
    ...(estimate ? (['estimate'] as const) : []),
    'compress',
    ...(evaluation ? (['evaluate-compressed'] as const) : []),
  ];
}

/** Floating-point operations of a stage. Norms, activation functions, embeddings, selections and rounding are left out: they are of lower order. */
export function stageOperations(shape: ModelShape, work: Workload, stage: PlannedStage): Operations {
  switch (stage) {
    case 'calibration':
    case 'fingerprint':
      return {};
    case 'evaluate-dense':
    case 'evaluate-compressed':
      return evaluationOperations(shape, work);
    case 'estimate':
      return work.estimate === 'spectra' ? spectraOperations(shape, work) : estimateOperations(shape, work);
    case 'compress':
      return compressOperations(shape, work);
  }
}

function evaluationOperations({ layers, blocks, vocab, width }: ModelShape, { evaluation }: Workload): Operations {
  if (!evaluation) return {};
  const { sequences, seqlen } = evaluation;
  return {
    forward: sequences * blocks * blockOperations(layers, seqlen).forward,
    head: sequences * headOperations(vocab, width, seqlen),
  };
}

/** One pass: every block but the last gives its output too. */
function estimateOperations({ layers }: ModelShape, { calibration, blocks }: Workload): Operations {
  if (!calibration) return {};
  const { sequences, seqlen } = calibration;
  const block = blockOperations(layers, seqlen);
  return {
    forward: sequences * ((blocks - 1) * block.forward + block.taps),
    gram: sequences * blocks * block.gram,
    factor: blocks * block.factor,
    statistics: blocks * block.energy,
  };
}

function spectraOperations({ layers }: ModelShape, { blocks }: Workload): Operations {
  return { spectrum: blocks * sum(layers.map(spectrumOperations)) };
}

/** Every block up to its last tap; then, but for the last one, all of it again as it was stored. */
function compressOperations({ layers }: ModelShape, { calibration, blocks, method }: Workload): Operations {
  if (!calibration || method === 'magnitude') return {};
  const { sequences, seqlen } = calibration;
  const block = blockOperations(layers, seqlen);
  return {
    forward: sequences * (blocks * block.taps + (blocks - 1) * block.forward),
    gram: sequences * blocks * block.gram,
    factor: blocks * block.factor,
    // Both sweep for the energy of the dense output; Wanda once more for that of what is lost.
    solve: blocks * (method === 'sparsegpt' ? block.solve + block.energy : 2 * block.energy),
  };
}
