import type { Holder, PlannedStage } from '../../contract/plan.ts';
import { groupsOf } from '../../contract/quantization.ts';
import { methods } from '../../contract/recipe/methods.ts';
import type { Quantization } from '../../contract/recipe.ts';
import { batchSequences, HEAD_TOKENS } from '../runtime/forward.ts';
import { sensitivityMethod } from '../schedule/needs.ts';
import {
  branchCount,
  driftRows,
  driftWidth,
  firstOfTaps,
  sum,
  tapWidths,
  type Branching,
  type LayerShape,
} from '../model/costs.ts';
import type { ModelShape, NamedLayer } from '../model/shape.ts';
import { constants } from '../native.ts';
import type { Sequences, Workload } from './workload.ts';

/** Bytes at one moment, by what holds them. */
export type Held = Readonly<Partial<Record<Holder, number>>>;

export interface Moment {
  readonly held: Held;
  /** The layer whose Hessian, factor or weights are held, the widest where it is those of several; null without one. */
  readonly layer: string | null;
}

const FLOAT = 4;
/** Node, V8, onnxruntime and the addon, with nothing loaded: measured. */
const PROCESS_BYTES = 100 * 2 ** 20;
/** V8 lets so many bytes of arrays that nobody needs pile up before it looks for them. */
const GARBAGE_BYTES = 64 * 2 ** 20;
/** V8's new space keeps the size to which tokenizing fills it: so much beyond the garbage of other work. */
const TOKENIZED_BYTES = 72 * 2 ** 20;
/** Tokenizing a text whole takes about so many times its bytes (texts/texts.ts). */
const TEXT_FACTOR = 40;
/** What onnxruntime packs weights into is a little larger than they are. */
const PACKED = 1.05;
/** A slice is held so many times: logits, their softmax, and what the softmax works in. */
const LOGITS_COPIES = 3;
/** Bytes of each of a slice's logits that are compared: as they come, as they are handed over, and as the reference's are kept. */
const COMPARED_BYTES = 2 * FLOAT + constants.method.logitBytes;

/**
 * The moment of a stage at which it holds most. Anonymous memory: the weights' pages of the checkpoint, which the system can drop, do
 * not count. For forward passes on another device than the CPU it is the process's memory all the same, and an upper bound.
 */
export function stageMemory(shape: ModelShape, work: Workload, stage: PlannedStage): Moment {
  const hasTexts = work.texts.some((bytes) => bytes > 0);
  const base = {
    process: PROCESS_BYTES,
    tokens: tokenBytes(work),
    ...(hasTexts && { text: TOKENIZED_BYTES }),
  };
  const moments = momentsOf(shape, work, stage).map(({ held, layer }) => ({ held: { ...base, ...held }, layer }));
  return moments.reduce<Moment>((most, moment) => (total(moment.held) > total(most.held) ? moment : most), {
    held: base,
    layer: null,
  });
}

export function total(held: Held): number {
  return sum(Object.values(held));
}

function momentsOf(shape: ModelShape, work: Workload, stage: PlannedStage): Moment[] {
  switch (stage) {
    case 'calibration':
      return work.texts.map((bytes) => atAll({ text: Math.max(TOKENIZED_BYTES, TEXT_FACTOR * bytes) }));
    case 'fingerprint':
      return [atAll({ garbage: GARBAGE_BYTES })];
    case 'evaluate-dense':
    case 'evaluate-compressed':
      return work.evaluation ? evaluationMoments(shape, work.evaluation) : [];
    case 'estimate':
      if (work.estimate === 'spectra') return shape.layers.map(spectrumMoment);
      return [
        ...(work.calibration ? estimateMoments(shape, work.calibration, work) : []),
        ...(work.sensitivity ? branchMoments(shape, work.sensitivity, work) : []),
        ...(work.estimate === 'both' ? shape.layers.map(spectrumMoment) : []),
      ];
    case 'choose':
      return work.choice
        ? [...compressMoments(shape, work.choice.calibration, work), ...evaluationMoments(shape, work.choice.heldBack)]
        : [];
    case 'compress':
      return compressMoments(shape, work.calibration, work);
  }
}

function evaluationMoments(shape: ModelShape, windows: Sequences): Moment[] {
  return [...blockMoments(shape, windows, { taps: false, output: true }), ...headMoments(shape, windows)].map(atAll);
}

/** A moment that is about no layer. */
function atAll(held: Held): Moment {
  return { held, layer: null };
}

interface Results {
  readonly taps: boolean;
  readonly output: boolean;
}

/** A block while its graph is opened, and in a run. */
function blockMoments(shape: ModelShape, sequences: Sequences, results: Results): [opening: Held, running: Held] {
  const weights = PACKED * blockWeights(shape, results);
  const opening = shape.weightBytes < FLOAT ? FLOAT * Math.max(...shape.layers.map(elements)) : 0;
  return [
    { 'block-weights': weights + opening, garbage: GARBAGE_BYTES },
    { 'block-weights': weights, 'block-run': runBytes(shape, sequences, results), garbage: GARBAGE_BYTES },
  ];
}

/** As float32. Without its output a block is opened up to its last tap. */
function blockWeights({ layers, otherElements }: ModelShape, { output }: Results): number {
  const last = layers.at(-1)?.tap;
  const opened = output ? layers : layers.filter(({ tap }) => tap !== last);
  return FLOAT * (sum(opened.map(elements)) + otherElements);
}

/**
 * The input and the one that is read ahead, and the output that is being written; the arrays of the results; and what onnxruntime
 * holds at its most: all results before they are copied into those, or those so far and a group of layers.
 */
function runBytes(shape: ModelShape, sequences: Sequences, results: Results): number {
  const tokens = runTokens(sequences);
  const transfers = (results.output ? 3 : 2) * FLOAT * tokens * shape.hidden;
  const all = resultBytes(shape, tokens, results);
  const groups = firstOfTaps(shape.layers).map(({ tap }, index) => {
    const taps = results.taps ? FLOAT * tokens * sum(tapWidths(shape.layers).slice(0, index + 1)) : 0;
    return taps + groupBytes(shape, tokens, tap);
  });
  return transfers + all + Math.max(all, ...groups);
}

function runTokens({ sequences, seqlen }: Sequences): number {
  return Math.min(batchSequences(seqlen), sequences) * seqlen;
}

function resultBytes({ layers, hidden }: ModelShape, tokens: number, { taps, output }: Results): number {
  return FLOAT * tokens * ((taps ? sum(tapWidths(layers)) : 0) + (output ? hidden : 0));
}

/**
 * The layers that read one tap: their results, a single one also as its bias or activation function makes it, and what is added to
 * later. Twice: onnxruntime's arena keeps as much as it was given back.
 */
function groupBytes({ layers, hidden }: ModelShape, tokens: number, tap: string): number {
  const held = (width: number): number => 2 * FLOAT * tokens * width;
  const results = layers.filter((layer) => layer.tap === tap).map(({ rows }) => held(rows));
  return Math.max(sum(results), 2 * Math.max(...results)) + held(hidden);
}

/** The head while its graph is opened, and in a run. */
function headMoments(
  { vocabularyRows, width, hidden, weightBytes }: ModelShape,
  sequences: Sequences,
): [opening: Held, running: Held] {
  const weights = FLOAT * vocabularyRows * width;
  const input = FLOAT * runTokens(sequences) * hidden;
  return [
    { vocabulary: (weightBytes < FLOAT ? 2 : 1) * weights, garbage: GARBAGE_BYTES },
    {
      vocabulary: PACKED * weights,
      logits: LOGITS_COPIES * FLOAT * HEAD_TOKENS * vocabularyRows + input,
      garbage: GARBAGE_BYTES,
    },
  ];
}

/** Whether single layers are iterated over to measure their sensitivities, so that all factors of a block have their Hessians with them. */
function iteratesAlone({ method, sensitivity }: Workload): boolean {
  return sensitivity?.layers === true && methods[sensitivityMethod(method)].iterates;
}

/** All of a block's sequences, its factors one after another, then the statistics with all factors at hand. */
function estimateMoments(shape: ModelShape, sequences: Sequences, work: Workload): Moment[] {
  const results = { taps: true, output: work.blocks > 1 };
  const taps = firstOfTaps(shape.layers);
  const left = { garbage: GARBAGE_BYTES };
  const heldFactors = (of: readonly LayerShape[]): number => factorBytes(of, work, iteratesAlone(work));
  const factoring = taps.map(({ name }, k) => ({
    held: { grams: gramBytes(taps.slice(k), work), factors: heldFactors(taps.slice(0, k + 1)), ...left },
    layer: name,
  }));
  const measuring = shape.layers.map((layer) => ({
    held: {
      factors: heldFactors(taps),
      layer: sweepBytes(layer, work) + (isOnGpu(layer, work) ? 0 : histogramBytes(layer)),
      ...staged(layer, work),
      ...left,
    },
    layer: layer.name,
  }));
  return [...collecting(shape, sequences, work, results), ...factoring, ...measuring];
}

/**
 * Each layer is swept, then the block runs with it, while all of the block's factors are held; at the end the logits of all branches
 * are compared.
 */
function branchMoments(shape: ModelShape, sample: Branching, work: Workload): Moment[] {
  const hasHessians = iteratesAlone(work);
  const held = { factors: factorBytes(firstOfTaps(shape.layers), work, hasHessians), garbage: GARBAGE_BYTES };
  const iterating = hasHessians ? shape.layers.flatMap((layer) => iteratingMoments(layer, held, work)) : [];
  const pruning = shape.layers.map((layer) => ({
    held: {
      ...held,
      layer:
        sweepBytes(layer, work) +
        elements(layer) * shape.weightBytes +
        (sample.bits > 0 ? gridBytes(layer, work.quantization) : 0),
      ...staged(layer, work),
    },
    layer: layer.name,
  }));
  const running = blockMoments(shape, sample, { taps: false, output: true }).map((moment) => ({
    held: { ...held, ...moment },
    layer: widestLayer(shape).name,
  }));
  return [
    ...iterating,
    ...pruning,
    ...running,
    ...comparingMoments(shape, sample, branchCount(shape, work.blocks, sample)).map(atAll),
  ];
}

/** The head while its graph is opened, and while a slice of a branch's logits is compared with the dense model's. */
function comparingMoments(shape: ModelShape, sample: Sequences, branches: number): Held[] {
  const [opening, running] = headMoments(shape, sample);
  const tokens = sample.sequences * sample.seqlen;
  const slice = Math.min(HEAD_TOKENS, tokens);
  const sums = constants.method.divergenceBytes * branches * tokens;
  const logits = slice * (COMPARED_BYTES * shape.vocabularyRows + FLOAT * shape.hidden);
  return [
    { ...opening, logits: sums },
    { ...running, logits: sums + logits },
  ];
}

/** All of a block's sequences, then one factor at a time with its layers, then the sequences through the block as stored. */
function compressMoments(shape: ModelShape, sequences: Sequences | null, work: Workload): Moment[] {
  const { blocks, method, quantization, gpu, targets } = work;
  if (sequences === null || !methods[method].calibrates) {
    return shape.layers.map((layer) => ({
      held: { layer: elements(layer) * shape.weightBytes + gridBytes(layer, quantization) },
      layer: layer.name,
    }));
  }
  const { iterates, sweeps } = methods[method];
  const results = { taps: true, output: false };
  const taps = firstOfTaps(shape.layers);
  const left = { garbage: GARBAGE_BYTES };
  const isDense = targets === 'dense';
  /** Of those behind the k-th tap: with dense targets each has its own only while it is needed. */
  const otherGrams = (k: number): number => (isDense ? 0 : gramBytes(taps.slice(k), work));
  const factoring = taps.map((layer, k) => ({
    held: {
      grams: isDense ? gramBytes([layer], work) + driftBytes(layer) : otherGrams(k),
      factors: factorBytes([layer], work, iterates) + (isDense ? shiftBytes(layer) : 0),
      ...left,
    },
    layer: layer.name,
  }));
  // Where the GPU does not know the pattern, the CPU takes the factor over.
  const pruningWork = gpu?.prunes === false ? { gpu: null } : work;
  const solving = shape.layers.flatMap((layer): Moment[] => {
    const beside = {
      grams: otherGrams(1 + taps.findIndex(({ tap }) => tap === layer.tap)),
      factors: factorBytes([layer], pruningWork, iterates) + (isDense ? shiftBytes(layer) : 0),
      ...left,
    };
    const aimed = isDense ? FLOAT * elements(layer) : 0;
    const pruned =
      aimed +
      sweepBytes(layer, pruningWork) +
      elements(layer) * shape.weightBytes * (sweeps ? 1 : 2) +
      gridBytes(layer, quantization) +
      (iterates ? maskBytes(layer) : 0);
    const sweeping = { held: { ...beside, layer: pruned, ...staged(layer, work) }, layer: layer.name };
    return iterates ? [...iteratingMoments(layer, beside, pruningWork, aimed), sweeping] : [sweeping];
  });
  const passing = blocks > 1 ? blockMoments(shape, sequences, { taps: false, output: true }).map(atAll) : [];
  const collected = isDense
    ? [...passingDense(shape, sequences), ...aiming(shape, sequences, work)]
    : collecting(shape, sequences, work, results);
  return [...collected, ...factoring, ...solving, ...passing];
}

/** The sequences go through a block, and its Gram matrices are there from the first of them on. */
function collecting(shape: ModelShape, sequences: Sequences, work: OnGpu, results: Results): Moment[] {
  const taps = firstOfTaps(shape.layers);
  const grams = gramBytes(taps, work);
  const sent = taps.filter((layer) => isOnGpu(layer, work)).map(({ cols }) => FLOAT * constants.gpu.sentTokens * cols);
  const [opening, running] = blockMoments(shape, sequences, results);
  return [
    atAll(opening),
    {
      held: { ...running, grams, ...(sent.length > 0 && stagedOf(Math.max(...sent))) },
      layer: widestLayer(shape).name,
    },
  ];
}

/** The dense model goes through a block, and what it has of each tap is written. */
function passingDense(shape: ModelShape, sequences: Sequences): Moment[] {
  const [opening, running] = blockMoments(shape, sequences, { taps: false, output: true });
  // In the arrays of the results, as onnxruntime holds them, and as they are written.
  const drifts = 3 * FLOAT * runTokens(sequences) * driftWidth(shape.layers);
  return [opening, { ...running, 'block-run': (running['block-run'] ?? 0) + drifts }].map(atAll);
}

/** The sequences go through a block up to one tap or sum, and what its layers read is summed up with the drift from the dense model. */
function aiming(shape: ModelShape, sequences: Sequences, work: OnGpu): Moment[] {
  const tokens = runTokens(sequences);
  return firstOfTaps(shape.layers).map((layer) => {
    const drifting = driftRows(layer);
    const [, running] = blockMoments(shape, sequences, { taps: true, output: layer.sum !== undefined });
    return {
      held: {
        ...running,
        'block-run': (running['block-run'] ?? 0) + FLOAT * tokens * drifting,
        grams:
          gramBytes([layer], work) +
          driftBytes(layer) +
          FLOAT * Math.min(constants.method.gramTokens, tokens) * (layer.cols + 2 * drifting),
        ...(isOnGpu(layer, work) && stagedOf(FLOAT * constants.gpu.sentTokens * layer.cols)),
      },
      layer: layer.name,
    };
  });
}

/** Bytes of the sums of a drift, in float64 of either half. */
function driftBytes(layer: LayerShape): number {
  return 2 * 8 * driftRows(layer) * layer.cols;
}

/** Bytes of what a drift moves layers' weights by, in float32, on the CPU. */
function shiftBytes(layer: LayerShape): number {
  return FLOAT * driftRows(layer) * layer.cols;
}

/** The one with the largest Hessian. */
function widestLayer(shape: ModelShape): NamedLayer {
  return firstOfTaps(shape.layers).reduce((a, b) => (b.cols > a.cols ? b : a));
}

/** Token ids; of an evaluation they are joined and shifted, and each has its sum of exponentials and its target's logit. */
function tokenBytes({ calibration, evaluation }: Workload): number {
  const tokens = (of: Sequences | null): number => (of ? of.sequences * of.seqlen : 0);
  return 4 * tokens(calibration) + 28 * tokens(evaluation);
}

type OnGpu = Pick<Workload, 'gpu'>;

function isOnGpu({ tap }: Pick<LayerShape, 'tap'>, { gpu }: OnGpu): boolean {
  return gpu?.taps.has(tap) ?? false;
}

/** Bytes of the Gram matrices of taps, each given by a layer that reads it: one triangle in float64. */
function gramBytes(taps: readonly LayerShape[], work: OnGpu): number {
  return sum(taps.filter((tap) => !isOnGpu(tap, work)).map(({ cols }) => triangleBytes(cols)));
}

function triangleBytes(cols: number): number {
  return 8 * ((cols * (cols + 1)) / 2);
}

/** Bytes of the factors of taps: U as a whole square in float32, and the Hessian likewise where it is kept. */
function factorBytes(taps: readonly LayerShape[], work: OnGpu, hasHessians: boolean): number {
  return sum(taps.filter((tap) => !isOnGpu(tap, work)).map(({ cols }) => (hasHessians ? 2 : 1) * FLOAT * cols * cols));
}

/** The weight and the errors of a span of columns; those are on the GPU where it sweeps. */
function sweepBytes(layer: LayerShape, work: OnGpu): number {
  const { rows, cols } = layer;
  return FLOAT * rows * (cols + (isOnGpu(layer, work) ? 0 : Math.min(constants.method.span, cols)));
}

/** On its way to the GPU and back: the weights of a layer that it sweeps. */
function staged(layer: LayerShape, work: OnGpu): Held {
  return isOnGpu(layer, work) ? stagedOf(FLOAT * elements(layer)) : {};
}

function stagedOf(bytes: number): Held {
  return { staged: constants.gpu.pieces * Math.min(constants.gpu.pieceBytes, bytes) };
}

/** One bit a weight. */
function maskBytes(layer: LayerShape): number {
  return elements(layer) / 8;
}

/**
 * ADMM of a layer: weights, iterate and mask, beside an inverse of the Hessian that is made a product's operand; then, beside the
 * operand, those and what the polish writes.
 */
function iteratingMoments(layer: NamedLayer, held: Held, work: OnGpu, aimed = 0): Moment[] {
  const { operandBytes } = constants.method.admm;
  const square = isOnGpu(layer, work) ? 0 : layer.cols * layer.cols;
  const moment = (squares: number, matrices: number): Moment => ({
    held: {
      ...held,
      factors: (held.factors ?? 0) + squares * square,
      layer: aimed + matrices * FLOAT * elements(layer) + maskBytes(layer),
      ...staged(layer, work),
    },
    layer: layer.name,
  });
  return [moment(FLOAT + (operandBytes < FLOAT ? operandBytes : 0), 2), moment(operandBytes, 3)];
}

/** The histograms that a layer's statistics are taken from. */
function histogramBytes({ rows }: LayerShape): number {
  return Math.ceil(rows / constants.method.histogramRows) * constants.method.histogramBytes;
}

/** Scales and zero points as they are swept with, and as they are stored. */
function gridBytes({ rows, cols }: LayerShape, quantization: Quantization | null): number {
  return quantization === null ? 0 : (2 * FLOAT + FLOAT + 1) * rows * groupsOf(quantization, cols);
}

/** The weight twice, the product with its transpose as one triangle and as a whole, and as much again for its reduction, in float64. */
function spectrumMoment({ name, rows, cols }: NamedLayer): Moment {
  const n = Math.min(rows, cols);
  return { held: { layer: 2 * FLOAT * rows * cols, grams: triangleBytes(n) + 16 * n * n }, layer: name };
}

function elements({ rows, cols }: Pick<LayerShape, 'rows' | 'cols'>): number {
  return rows * cols;
}
