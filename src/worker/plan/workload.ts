import { methods } from '../../contract/recipe/methods.ts';
import type { Recipe } from '../../contract/recipe.ts';
import type { Targets } from '../../contract/recipe/targets.ts';
import type { OperationKind, PlannedStage } from '../../contract/plan.ts';
import { targetsOf, triesTargets } from '../../contract/targets.ts';
import {
  bitsToChoose,
  choiceSequences,
  needsSensitivities,
  needsSpectra,
  needsStatistics,
  schedulesToTry,
  sensitivityMethod,
  sensitivitySample,
} from '../schedule/needs.ts';
import {
  blockOperations,
  branchOperations,
  headOperations,
  spectrumOperations,
  sum,
  type BlockOperations,
  type Branching,
} from '../model/costs.ts';
import type { GpuShare } from './gpu-memory.ts';
import type { ModelShape } from '../model/shape.ts';

/** What a recipe does to a model, in numbers. */
export interface Workload {
  /** That layers are solved by. */
  readonly method: Recipe['method'];
  /** Whether weights become zero, or are only quantized. */
  readonly isPruned: boolean;
  readonly quantization: Recipe['quantization'];
  /** What the layers are to give; where the trial of `auto` decides, the dense model's outputs, which take longer. */
  readonly targets: Targets;
  /** What has to be measured first: a calibration pass over the dense model, the weights' spectra, both, or nothing. */
  readonly estimate: 'pass' | 'spectra' | 'both' | null;
  /** How sensitivities are measured, in the estimate pass; null where the run does not go by them. */
  readonly sensitivity: Branching | null;
  /** What `auto` compresses a subsample with, and measures it on; null of other schedulers. */
  readonly choice: Choosing | null;
  /** null where the CPU does all the solver's work. */
  readonly gpu: GpuShare | null;
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

export interface Choosing {
  readonly candidates: number;
  /** What the layers are to give in them. */
  readonly targets: Targets;
  /** Further ones with dense targets. */
  readonly denseCandidates: number;
  readonly calibration: Sequences;
  readonly heldBack: Sequences;
}

export interface Sequences {
  readonly sequences: number;
  readonly seqlen: number;
}

export type Operations = Readonly<Partial<Record<OperationKind, number>>>;

function estimateOf(recipe: Recipe): Workload['estimate'] {
  const hasSpectra = needsSpectra(recipe);
  if (needsStatistics(recipe)) return hasSpectra ? 'both' : 'pass';
  return hasSpectra ? 'spectra' : null;
}

/** What a scheduler measures before the run, on calibration sequences and on so many held back. */
export function schedulingOf(
  recipe: Recipe,
  calibration: Sequences | null,
  heldBack: number,
): Pick<Workload, 'targets' | 'estimate' | 'sensitivity' | 'choice'> {
  const estimate = estimateOf(recipe);
  const targets = targetsOf(recipe, null);
  if (calibration === null || !needsSensitivities(recipe))
    return { targets, estimate, sensitivity: null, choice: null };
  const { sequences, seqlen } = calibration;
  const choice = {
    candidates: schedulesToTry.length,
    targets,
    denseCandidates: triesTargets(recipe) ? 1 : 0,
    calibration: { sequences: choiceSequences({ sequences, seqlen }), seqlen },
    heldBack: { sequences: heldBack, seqlen },
  };
  const chooses = recipe.scheduler.kind === 'auto';
  return {
    targets: chooses && choice.denseCandidates > 0 ? 'dense' : targets,
    estimate,
    sensitivity: {
      ...sensitivitySample({ sequences: heldBack, seqlen }),
      layers: true,
      bits: bitsToChoose(recipe).length,
    },
    choice: chooses ? choice : null,
  };
}

/** The stages that a workload goes through, in order. */
export function stagesOf(work: Workload): PlannedStage[] {
  const { estimate, evaluation } = work;
  return [
    'calibration',
    'fingerprint',
    ...(evaluation ? (['evaluate-dense'] as const) : []),
    ...(estimate ? (['estimate'] as const) : []),
    ...(work.choice ? (['choose'] as const) : []),
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
      return {
        ...(work.estimate !== 'spectra' && estimateOperations(shape, work)),
        ...((work.estimate === 'spectra' || work.estimate === 'both') && spectraOperations(shape, work)),
      };
    case 'choose':
      return choiceOperations(shape, work);
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
function estimateOperations(shape: ModelShape, work: Workload): Operations {
  const { calibration, sensitivity, blocks } = work;
  const { layers } = shape;
  if (!calibration) return {};
  const { sequences, seqlen } = calibration;
  const block = blockOperations(layers, seqlen);
  const branches = sensitivity ? branchOperations(shape, blocks, sensitivity) : { forward: 0, head: 0 };
  return {
    forward: sequences * ((blocks - 1) * block.forward + block.taps) + branches.forward,
    gram: sequences * blocks * block.gram,
    factor: blocks * block.factor,
    statistics: blocks * block.energy,
    ...(sensitivity && {
      head: branches.head,
      ...aloneOperations(block, work, sensitivity),
    }),
  };
}

/** All layers pruned, each for itself, at two sparsities, and all of them quantized to each of so many widths. */
function aloneOperations(block: BlockOperations, { method, blocks }: Workload, { bits }: Branching): Operations {
  const sweeps = block.solve + block.energy;
  if (!methods[sensitivityMethod(method)].iterates) return { solve: blocks * (2 + bits) * sweeps };
  const quantizing = bits * quantizingOperations(block);
  return { iterate: blocks * (2 * block.iterate + quantizing), ...(bits > 0 && { solve: blocks * bits * sweeps }) };
}

function spectraOperations({ layers }: ModelShape, { blocks }: Workload): Operations {
  return { spectrum: blocks * sum(layers.map(spectrumOperations)) };
}

/** Each candidate: a compression with the subsample, and the sequences held back through all blocks and the head. */
function choiceOperations(shape: ModelShape, work: Workload): Operations {
  if (!work.choice) return {};
  const { candidates, targets, denseCandidates, calibration, heldBack } = work.choice;
  const evaluate = evaluationOperations(shape, { ...work, evaluation: heldBack });
  const compress = compressOperations(shape, { ...work, calibration, targets });
  const dense = compressOperations(shape, { ...work, calibration, targets: 'dense' });
  const all: [number, Operations][] = [
    [candidates + denseCandidates, evaluate],
    [candidates, compress],
    [denseCandidates, dense],
  ];
  const kinds = [...new Set(all.flatMap(([, each]) => Object.keys(each)))] as OperationKind[];
  return Object.fromEntries(kinds.map((kind) => [kind, sum(all.map(([times, each]) => times * (each[kind] ?? 0)))]));
}

/**
 * Every block up to its last tap; then, but for the last one, all of it again as it was stored. With dense targets the dense model
 * through it, the compressed one up to each tap or what its layer's output is added to, then through the block.
 */
function compressOperations({ layers }: ModelShape, work: Workload): Operations {
  const { calibration, blocks, method, targets } = work;
  if (!calibration || !methods[method].calibrates) return {};
  const { sequences, seqlen } = calibration;
  const block = blockOperations(layers, seqlen);
  const isDense = targets === 'dense';
  const forward = isDense
    ? blocks * (block.forward + block.upToTaps) + (blocks - 1) * block.forward
    : blocks * block.taps + (blocks - 1) * block.forward;
  return {
    forward: sequences * forward,
    gram: sequences * blocks * (block.gram + (isDense ? block.drift : 0)),
    factor: blocks * (block.factor + (isDense ? block.shift : 0)),
    ...solveOperations(block, work),
  };
}

/** Quantizing all layers by ADMM where nothing is pruned, beside the sweep: two products for the energies, and the codes anew. */
function quantizingOperations({ energy, refine }: BlockOperations): number {
  return 4 * energy + refine;
}

function solveOperations(block: BlockOperations, work: Workload): Operations {
  const { method, isPruned, quantization, blocks } = work;
  const { sweeps, iterates } = methods[method];
  // Both sweep for the energy of the dense output; Wanda once more for that of what is lost.
  const solve = { solve: blocks * (sweeps ? block.solve + block.energy : 2 * block.energy) };
  if (!iterates) return solve;
  if (quantization === null) return { iterate: blocks * block.iterate };
  const iterate = isPruned ? block.iterate + block.refine : quantizingOperations(block);
  return { iterate: blocks * iterate, ...solve };
}
