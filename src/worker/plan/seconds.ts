import type { PlannedStage } from '../../contract/plan.ts';
import { factorOperations, gramOperations, sum, sweepOperations, tapWidths } from './costs.ts';
import { cappedWidth, layerKey, type Rates } from './measure.ts';
import type { ModelShape } from './shape.ts';
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
    (shape.blocks * blockBytes(shape) + shape.vocab * shape.width * shape.weightBytes) / rates.open +
    (transfers * activationBytes(shape, windows)) / rates.read
  );
}

function estimateSeconds(shape: ModelShape, work: Workload, rates: Rates): number {
  const { forward = 0, spectrum = 0 } = stageOperations(shape, work, 'estimate');
  if (work.estimate === 'spectra' || !work.calibration) return spectrum / rates.spectrum;
  const { calibration, blocks } = work;
  const statistics = sum(
    shape.layers.map((layer) => sweepOperations(layer) / (rates.statistics[layerKey(layer)] ?? NaN)),
  );
  return (
    forward / forwardRate(rates, calibration) +
    blocks * (factorSeconds(shape, calibration, rates) + statistics + blockBytes(shape) / rates.open) +
    (2 * blocks * activationBytes(shape, calibration)) / rates.read
  );
}

/** Every candidate is compressed and measured. */
function choiceSeconds(
  shape: ModelShape,
  work: Workload,
  { candidates, calibration, heldBack }: Choosing,
  rates: Rates,
): number {
  const compressed = compressSeconds(shape, { ...work, calibration }, rates);
  return candidates * (compressed + evaluationSeconds(shape, { ...work, evaluation: heldBack }, heldBack, rates));
}

/** The shards are written in any case; a block's inputs are read twice and its outputs written down to the disk. */
function compressSeconds(shape: ModelShape, work: Workload, rates: Rates): number {
  const writing = shape.bytes / rates.write;
  const { calibration, blocks, method, quantization } = work;
  const solving = sum(
    shape.layers.map((layer) => (2 * sweepOperations(layer)) / (rates.solve[layerKey(layer)] ?? NaN)),
  );
  if (!calibration || method === 'magnitude')
    return writing + blocks * (quantization ? solving : blockBytes(shape) / rates.scan);
  const { forward = 0 } = stageOperations(shape, work, 'compress');
  const activations = activationBytes(shape, calibration);
  return (
    writing +
    forward / forwardRate(rates, calibration) +
    blocks * (factorSeconds(shape, calibration, rates) + solving + (2 * blockBytes(shape)) / rates.open) +
    blocks * activations * (2 / rates.read + 1 / rates.write)
  );
}

/** Gram matrices and factors of a block. */
function factorSeconds({ layers }: ModelShape, { sequences, seqlen }: Sequences, { gram, factor }: Rates): number {
  return sum(
    tapWidths(layers).map((cols) => {
      const key = String(cappedWidth(cols));
      return (
        gramOperations(cols, sequences * seqlen) / (gram[key] ?? NaN) + factorOperations(cols) / (factor[key] ?? NaN)
      );
    }),
  );
}

function forwardRate({ forward }: Rates, { seqlen }: Sequences): number {
  return forward[String(seqlen)] ?? NaN;
}

function blockBytes({ layers, weightBytes }: ModelShape): number {
  return weightBytes * sum(layers.map(({ rows, cols }) => rows * cols));
}

/** Inputs of a block for all sequences, float32. */
export function activationBytes({ hidden }: Pick<ModelShape, 'hidden'>, { sequences, seqlen }: Sequences): number {
  return 4 * sequences * seqlen * hidden;
}
