import {
  driftOperations,
  firstOfTaps,
  shiftedOperations,
  shiftOperations,
  sum,
  type LayerShape,
} from '../model/costs.ts';
import {
  factorTerm,
  gramTerm,
  invertTerm,
  iterateTerm,
  solveTerm,
  statisticsTerm,
  takenOverBytes,
  type Term,
} from './gpu-costs.ts';
import { cpuCap, iterateCap, layerKey, tapKey, type Cap, type Rates, type SolverRates } from './rates.ts';
import type { ModelShape } from '../model/shape.ts';
import type { Sequences, Workload } from './workload.ts';
import { methods } from '../../contract/recipe/methods.ts';
import { sensitivityMethod } from '../schedule/needs.ts';

/** Gram matrices and factors of a block. */
export function factorSeconds(
  shape: ModelShape,
  { gpu }: Pick<Workload, 'gpu'>,
  { sequences, seqlen }: Sequences,
  rates: Rates,
): number {
  return sum(
    firstOfTaps(shape.layers).map((layer) => {
      const isOnGpu = gpu?.taps.has(layer.tap) ?? false;
      const gram = seconds('gram', layer, gramTerm(layer.cols, sequences * seqlen), isOnGpu, rates);
      return gram + seconds('factor', layer, factorTerm(layer.cols), isOnGpu, rates);
    }),
  );
}

/** What dense targets take beside: products at the rate of Gram matrices, on the CPU. */
export function aimingSeconds(shape: ModelShape, { sequences, seqlen }: Sequences, rates: Rates): number {
  const ofTap = (layer: LayerShape): number => driftOperations(layer, sequences * seqlen) + shiftOperations(layer);
  const rate = ({ cols }: LayerShape): number => rates.gram[tapKey(cols, cpuCap)] ?? NaN;
  return (
    sum(firstOfTaps(shape.layers).map((layer) => ofTap(layer) / rate(layer))) +
    sum(shape.layers.map((layer) => shiftedOperations(layer) / rate(layer)))
  );
}

/** Estimates, curves and energies of a block. */
export function statisticsSeconds({ layers }: ModelShape, { gpu }: Pick<Workload, 'gpu'>, rates: Rates): number {
  return sum(
    layers.map((layer) =>
      seconds('statistics', layer, statisticsTerm(layer), gpu?.taps.has(layer.tap) ?? false, rates),
    ),
  );
}

type Solving = Pick<Workload, 'gpu' | 'method' | 'isPruned' | 'quantization'>;

/** All layers of a block pruned or quantized as the recipe says: by iterations, a sweep, or one after the other. */
export function solveSeconds(shape: ModelShape, work: Solving, rates: Rates): number {
  const { method, quantization } = work;
  if (!methods[method].iterates) return pruneSeconds(shape, work, rates, 'solve');
  const sweeping = quantization === null ? 0 : pruneSeconds(shape, work, rates, 'solve');
  return iterateSeconds(shape, work, rates) + sweeping;
}

/** All layers of a block pruned, each for itself, to measure sensitivities. */
export function aloneSeconds(shape: ModelShape, work: Solving, rates: Rates): number {
  return methods[sensitivityMethod(work.method)].iterates
    ? iterateSeconds(shape, { ...work, isPruned: true, quantization: null }, rates)
    : sweepSeconds(shape, work, rates);
}

/** All layers of a block by SparseGPT's sweep. */
export function sweepSeconds(shape: ModelShape, work: Solving, rates: Rates): number {
  return pruneSeconds(shape, { ...work, method: 'sparsegpt', quantization: null }, rates, 'sweep');
}

function iterateSeconds(
  { layers }: ModelShape,
  { gpu, isPruned: prunes, quantization }: Solving,
  rates: Rates,
): number {
  const iterating = { prunes, quantizes: quantization !== null };
  return sum(
    layers.map((layer) => {
      const isOnGpu = (gpu?.taps.has(layer.tap) ?? false) && gpu?.prunes === true;
      const inverting = prunes ? seconds('invert', layer, invertTerm(layer.cols), isOnGpu, rates) : 0;
      return inverting + seconds('iterate', layer, iterateTerm(layer, iterating), isOnGpu, rates);
    }),
  );
}

function pruneSeconds(
  { layers }: ModelShape,
  { gpu, method, quantization }: Solving,
  rates: Rates,
  how: 'solve' | 'sweep',
): number {
  const hasFactor = methods[method].calibrates;
  return sum(
    layers.map((layer) => {
      const isThere = hasFactor && (gpu?.taps.has(layer.tap) ?? false);
      const isOnGpu = isThere && (how === 'sweep' || gpu?.prunes === true);
      const takenOver = isThere && !isOnGpu ? takenOverBytes(layer.cols) / transferRate(rates) : 0;
      return takenOver + seconds(how, layer, solveTerm(layer, { method, quantization }), isOnGpu, rates);
    }),
  );
}

/** Seconds of one task: on a GPU by its kernel's share of the product's rate, what crosses the bus, and the CPU's part beside it. */
function seconds(kernel: keyof SolverRates, layer: LayerShape, term: Term, isOnGpu: boolean, rates: Rates): number {
  if (!isOnGpu) return term.operations / rateOf(rates, kernel, layer, cpuCap);
  const { gemm, store, cap, shares } = gpuRates(rates);
  const computing = term.operations / (gemm * rateOf(shares, kernel, layer, cap));
  return computing + (term.up + term.down) / transferRate(rates) + term.stored / store;
}

/** What is done to a tap; the rest is done to a layer. */
const ofTaps: readonly (keyof SolverRates)[] = ['gram', 'factor', 'invert'];
const ofIterations: readonly (keyof SolverRates)[] = ['invert', 'iterate'];

function rateOf(rates: SolverRates, kernel: keyof SolverRates, layer: LayerShape, cap: Cap): number {
  const within = ofIterations.includes(kernel) ? iterateCap : cap;
  const key = ofTaps.includes(kernel) ? tapKey(layer.cols, within) : layerKey(layer, within);
  return rates[kernel][key] ?? NaN;
}

function transferRate(rates: Rates): number {
  return gpuRates(rates).transfer;
}

function gpuRates({ gpu }: Rates): NonNullable<Rates['gpu']> {
  if (gpu === null) throw new Error('a GPU that was not measured');
  return gpu;
}
