import { sum, type LayerShape } from '../model/costs.ts';
import { factorTerm, gramTerm, solveTerm, statisticsTerm, takenOverBytes, type Term } from './gpu-costs.ts';
import { cpuCap, layerKey, tapKey, type Cap, type Rates, type SolverRates } from './rates.ts';
import { firstLayers, type ModelShape } from '../model/shape.ts';
import type { Sequences, Workload } from './workload.ts';
import { methods } from '../../contract/recipe/methods.ts';

/** Gram matrices and factors of a block. */
export function factorSeconds(
  shape: ModelShape,
  { gpu }: Pick<Workload, 'gpu'>,
  { sequences, seqlen }: Sequences,
  rates: Rates,
): number {
  return sum(
    firstLayers(shape).map((layer) => {
      const isOnGpu = gpu?.taps.has(layer.tap) ?? false;
      const gram = seconds('gram', layer, gramTerm(layer.cols, sequences * seqlen), isOnGpu, rates);
      return gram + seconds('factor', layer, factorTerm(layer.cols), isOnGpu, rates);
    }),
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

/** All layers of a block pruned or quantized: as the recipe says, or to measure a sensitivity. */
export function solveSeconds(
  { layers }: ModelShape,
  { gpu, method, quantization }: Pick<Workload, 'gpu' | 'method' | 'quantization'>,
  rates: Rates,
  how: 'solve' | 'sweep',
): number {
  const recipe = how === 'solve' ? { method, quantization } : { method: 'sparsegpt' as const, quantization: null };
  const hasFactor = methods[recipe.method].calibrates;
  return sum(
    layers.map((layer) => {
      const isThere = hasFactor && (gpu?.taps.has(layer.tap) ?? false);
      const isOnGpu = isThere && (how === 'sweep' || gpu?.prunes === true);
      const takenOver = isThere && !isOnGpu ? takenOverBytes(layer.cols) / transferRate(rates) : 0;
      return takenOver + seconds(how, layer, solveTerm(layer, recipe), isOnGpu, rates);
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

function rateOf(rates: SolverRates, kernel: keyof SolverRates, layer: LayerShape, cap: Cap): number {
  const key = kernel === 'gram' || kernel === 'factor' ? tapKey(layer.cols, cap) : layerKey(layer, cap);
  return rates[kernel][key] ?? NaN;
}

function transferRate(rates: Rates): number {
  return gpuRates(rates).transfer;
}

function gpuRates({ gpu }: Rates): NonNullable<Rates['gpu']> {
  if (gpu === null) throw new Error('a GPU that was not measured');
  return gpu;
}
