import type { PlannedStage } from '../../contract/plan.ts';
import { methods } from '../../contract/recipe/methods.ts';
import {
  branchCount,
  branchOperations,
  branchPasses,
  driftWidth,
  sum,
  tapWidths,
  type Branching,
} from '../model/costs.ts';
import type { Rates } from './rates.ts';
import type { ModelShape } from '../model/shape.ts';
import {
  aimingSeconds,
  aloneSeconds,
  factorSeconds,
  solveSeconds,
  statisticsSeconds,
  sweepSeconds,
} from './solver-seconds.ts';
import { stageOperations, type Choosing, type Sequences, type Workload } from './workload.ts';

/** Seconds of a stage at the rates measured here. */
export function stageSeconds(shape: ModelShape, work: Workload, stage: PlannedStage, rates: Rates): number {
  switch (stage) {
    case 'calibration':
      return work.tokenizingSeconds;
    case 'fingerprint':
      return shape.bytes / rates.hash + shape.bytes / rates.scan;
    case 'evaluate-dense':
    case 'evaluate-compressed':
      return work.evaluation ? evaluationSeconds(shape, work, work.evaluation, rates) : 0;
    case 'estimate':
      return estimateSeconds(shape, work, rates);
    case 'choose':
      return work.choice ? choiceSeconds(shape, work, work.choice, rates) : 0;
    case 'compress':
      return compressSeconds(shape, work, rates);
  }
}

/** Operations, every block and the vocabulary opened once, and the activations of each block read and written. */
function evaluationSeconds(shape: ModelShape, work: Workload, windows: Sequences, rates: Rates): number {
  const { forward = 0, head = 0 } = stageOperations(shape, work, 'evaluate-dense');
  const transfers = 1 + 2 * shape.blocks + shape.vocabularyPasses;
  return (
    forward / forwardRate(rates, windows) +
    head / rates.head +
    (shape.blocks * blockBytes(shape) + vocabularyBytes(shape)) / rates.open +
    (transfers * activationBytes(shape, windows)) / rates.read
  );
}

function estimateSeconds(shape: ModelShape, work: Workload, rates: Rates): number {
  const { calibration, sensitivity, blocks } = work;
  const { forward = 0, spectrum = 0 } = stageOperations(shape, { ...work, sensitivity: null }, 'estimate');
  if (work.estimate === 'spectra' || !calibration) return spectrum / rates.spectrum;
  const solving = factorSeconds(shape, work, calibration, rates) + statisticsSeconds(shape, work, rates);
  return (
    spectrum / rates.spectrum +
    forward / forwardRate(rates, calibration) +
    blocks * (solving + blockBytes(shape) / rates.open) +
    (2 * blocks * activationBytes(shape, calibration)) / rates.read +
    (sensitivity ? branchSeconds(shape, work, sensitivity, rates) : 0)
  );
}

/**
 * Every layer is pruned at two sparsities, written down to the disk as one of them leaves it, and its block opened with it; all of a
 * block's once more for each number of bits; and the block as it is, for the branches that are there already. Activations are read and written at each pass through a block, and
 * read for each range of the vocabulary.
 */
function branchSeconds(shape: ModelShape, work: Workload, sample: Branching, rates: Rates): number {
  const { blocks } = work;
  const { forward, head } = branchOperations(shape, blocks, sample);
  const branches = branchCount(shape, blocks, sample);
  const opened = shape.blocks + (shape.layers.length + sample.bits) * blocks;
  const transfers = 1 + 2 * branchPasses(shape, blocks, sample) + branches * shape.vocabularyPasses;
  const written = blockBytes(shape) / rates.write;
  const alone = 2 * aloneSeconds(shape, work, rates) + written;
  const quantized = sweepSeconds(shape, work, rates) + written;
  return (
    forward / forwardRate(rates, sample) +
    head / rates.head +
    (branches * sample.sequences * sample.seqlen * shape.vocab) / rates.divergence +
    (opened * blockBytes(shape) + vocabularyBytes(shape)) / rates.open +
    blocks * (alone + sample.bits * quantized) +
    (transfers * activationBytes(shape, sample)) / rates.read
  );
}

/** Every candidate is compressed, without what is outside of the blocks, and measured. */
function choiceSeconds(
  shape: ModelShape,
  work: Workload,
  { candidates, targets, denseCandidates, calibration, heldBack }: Choosing,
  rates: Rates,
): number {
  const compressed = blocksSeconds(shape, { ...work, calibration, targets }, rates);
  const dense = blocksSeconds(shape, { ...work, calibration, targets: 'dense' }, rates);
  const written = (work.blocks * blockBytes(shape)) / rates.write;
  const evaluated = evaluationSeconds(shape, { ...work, evaluation: heldBack }, heldBack, rates);
  return candidates * compressed + denseCandidates * dense + (candidates + denseCandidates) * (written + evaluated);
}

/** The shards are written in any case. */
function compressSeconds(shape: ModelShape, work: Workload, rates: Rates): number {
  return shape.bytes / rates.write + blocksSeconds(shape, work, rates);
}

/**
 * All blocks but for their shards; a block's inputs are read twice and its outputs written down to the disk. With dense targets it is
 * opened for the dense model, for each tap and once more, and what the dense model has of each tap is written and read.
 */
function blocksSeconds(shape: ModelShape, work: Workload, rates: Rates): number {
  const { calibration, blocks, method, quantization, targets } = work;
  const solving = solveSeconds(shape, work, rates);
  if (!calibration || !methods[method].calibrates)
    return blocks * (quantization ? solving : blockBytes(shape) / rates.scan);
  const { forward = 0 } = stageOperations(shape, work, 'compress');
  const activations = activationBytes(shape, calibration);
  const isDense = targets === 'dense';
  const passes = isDense ? 2 + tapWidths(shape.layers).length : 2;
  const drifts = isDense ? driftWidth(shape.layers) / shape.hidden : 0;
  const factoring =
    factorSeconds(shape, work, calibration, rates) + (isDense ? aimingSeconds(shape, calibration, rates) : 0);
  return (
    forward / forwardRate(rates, calibration) +
    blocks * (factoring + solving + (passes * blockBytes(shape)) / rates.open) +
    blocks * activations * ((passes + 2 * drifts) / rates.read + (isDense ? 2 : 1) / rates.write)
  );
}

function forwardRate({ forward }: Rates, { seqlen }: Sequences): number {
  return forward[String(seqlen)] ?? NaN;
}

/** Its layers, as they are stored. */
export function blockBytes({ layers, weightBytes }: ModelShape): number {
  return weightBytes * sum(layers.map(({ rows, cols }) => rows * cols));
}

function vocabularyBytes({ vocab, width, weightBytes }: ModelShape): number {
  return vocab * width * weightBytes;
}

/** Inputs of a block for all sequences, float32. */
export function activationBytes({ hidden }: Pick<ModelShape, 'hidden'>, { sequences, seqlen }: Sequences): number {
  return 4 * sequences * seqlen * hidden;
}
