import { join } from 'node:path';

import type { Model } from '../model/open.ts';
import { methods } from '../../contract/recipe/methods.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { controlled, native, type Factor, type Gpu, type PruneOptions } from '../native.ts';
import { SENSITIVITY_SPARSITY } from '../schedule/needs.ts';
import type { LayerShape } from '../model/costs.ts';
import { factorTerm, gramTerm, invertTerm, iterateTerm, solveTerm, statisticsTerm, type Term } from './gpu-costs.ts';
import { capped, iterateCap, layerKey, tapKey, type Cap, type SolverRates } from './rates.ts';
import { best, LAYER, noise, randomLayer, timed } from './samples.ts';

/** A Gram matrix is measured with so many tokens. */
const TOKENS = 2048;

/** How a recipe prunes, as far as the time that it takes depends on it. */
export type Solving = Omit<PruneOptions, 'storage' | 'n' | 'm'> & Pick<Recipe, 'method'>;

/** Pruning without quantizing. */
const sweeping: Solving = { method: 'sparsegpt', sparsity: SENSITIVITY_SPARSITY };

/**
 * What is measured for a recipe: of quantizing what its time depends on; without it all methods take about as long as the sweep. Of one
 * that iterates it is the sweep that quantizes afterwards.
 */
export function solvingOf({ method: named, quantization }: Pick<Recipe, 'method' | 'quantization'>): Solving {
  if (quantization === null) return sweeping;
  const method = methods[named].iterates ? 'sparsegpt' : named;
  const { groupSize, range } = quantization;
  const grouped = groupSize === null ? {} : { groupSize };
  const fixed = { bits: 4, symmetric: false, staticGroups: false };
  return { method, sparsity: 0.7, quantization: { ...fixed, ...grouped, range } };
}

/** Where the solver's work is measured, and what counts. */
export interface Bench {
  readonly dtype: Model['dtype'];
  /** A folder for random layers. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** null = the CPU. */
  readonly gpu: Gpu | null;
  readonly cap: Cap;
  /** A rate, or share of one, from what a task costs and the seconds that it took. */
  readonly rateOf: (term: Term, seconds: number) => number;
}

/** Gram, factor, statistics and pruning of random layers with the model's shapes, as a compression does them. */
export async function solverRates(
  bench: Bench,
  layers: readonly LayerShape[],
  recipe: Pick<Recipe, 'method' | 'quantization'>,
): Promise<SolverRates> {
  const rates: SolverRates = { gram: {}, factor: {}, statistics: {}, solve: {}, sweep: {}, invert: {}, iterate: {} };
  const measured = new Map(layers.map((layer) => [layerKey(layer, bench.cap), capped(layer, bench.cap)]));
  for (const cols of new Set([...measured.values()].map((layer) => layer.cols))) {
    using factor = await factorRates(bench, cols, rates);
    for (const [key, layer] of measured)
      if (layer.cols === cols) await layerRates(bench, key, layer, factor, recipe, rates);
  }
  if (methods[recipe.method].iterates) await iterationRates(bench, layers, rates);
  return rates;
}

/** Rows of a layer that are next to nothing beside its inverses. */
const FEW_ROWS = 8;

/** ADMM of random layers with the model's shapes, within its cap: hardly any rows show what the inverses take, the others what is left. */
async function iterationRates(bench: Bench, layers: readonly LayerShape[], rates: SolverRates): Promise<void> {
  const { gpu, signal, rateOf } = bench;
  const measured = new Map(layers.map((layer) => [layerKey(layer, iterateCap), capped(layer, iterateCap)]));
  for (const cols of new Set([...measured.values()].map((layer) => layer.cols))) {
    using gram = new native.Gram(cols, gpu);
    await controlled(signal, (control) => gram.add(noise(TOKENS * cols), TOKENS, control));
    using factor = await controlled(signal, (control) => native.factorize(gram, 1, 0.01, 'natural', true, control));
    const inverting = await iterationSeconds(bench, { rows: FEW_ROWS, cols }, factor);
    rates.invert[tapKey(cols, iterateCap)] = rateOf(invertTerm(cols), inverting);
    for (const [key, layer] of measured) {
      if (layer.cols !== cols) continue;
      const seconds = await iterationSeconds(bench, layer, factor);
      rates.iterate[key] = rateOf(
        iterateTerm(layer, { prunes: true, quantizes: false }),
        Math.max(seconds - inverting, LEAST * seconds),
      );
    }
  }
}

/** At least this share of what a layer takes is its iterations. */
const LEAST = 0.1;
/** Beyond so many seconds it hardly matters that the first time fills caches. */
const LONG = 0.5;

async function iterationSeconds(
  { dtype, scratch, signal }: Bench,
  layer: Pick<LayerShape, 'rows' | 'cols'>,
  factor: Factor,
): Promise<number> {
  const checkpoint = randomLayer(join(scratch, `iterated-${layer.rows}x${layer.cols}.safetensors`), layer, dtype);
  const options = { method: 'admm', sparsity: SENSITIVITY_SPARSITY, storage: dtype } as const;
  const prune = (): Promise<void> =>
    controlled(signal, async (control) => {
      using _pruned = await native.prune(checkpoint, { name: LAYER }, factor, options, control);
    });
  const { seconds } = await timed(prune);
  return seconds > LONG ? seconds : Math.min(seconds, await best(prune));
}

async function factorRates(bench: Bench, cols: number, rates: SolverRates): Promise<Factor> {
  const { gpu, cap, signal, rateOf } = bench;
  const x = noise(TOKENS * cols);
  using gram = new native.Gram(cols, gpu);
  const added = await best(() => controlled(signal, (control) => gram.add(x, TOKENS, control)));
  rates.gram[tapKey(cols, cap)] = rateOf(gramTerm(cols, TOKENS), added);
  const { seconds: factored, value: factor } = await timed(() =>
    controlled(signal, (control) => native.factorize(gram, 1, 0.01, 'natural', false, control)),
  );
  rates.factor[tapKey(cols, cap)] = rateOf(factorTerm(cols), factored);
  return factor;
}

async function layerRates(
  { dtype, scratch, signal, rateOf }: Bench,
  key: string,
  layer: Pick<LayerShape, 'rows' | 'cols'>,
  factor: Factor,
  recipe: Pick<Recipe, 'method' | 'quantization'>,
  rates: SolverRates,
): Promise<void> {
  const checkpoint = randomLayer(join(scratch, `${key}.safetensors`), layer, dtype);
  const statistics = await best(() =>
    controlled(signal, (control) => native.layerStatistics(checkpoint, { name: LAYER }, factor, control)),
  );
  rates.statistics[key] = rateOf(statisticsTerm(layer), statistics);
  const pruningRate = async (as: Solving, quantization: Recipe['quantization']): Promise<number> => {
    const input = methods[as.method].calibrates ? factor : null;
    const pruning = await best(() =>
      controlled(signal, async (control) => {
        using _pruned = await native.prune(checkpoint, { name: LAYER }, input, { ...as, storage: dtype }, control);
      }),
    );
    return rateOf(solveTerm(layer, { method: as.method, quantization }), pruning);
  };
  const { quantization } = recipe;
  const solving = solvingOf(recipe);
  rates.solve[key] = await pruningRate(solving, quantization);
  rates.sweep[key] = quantization === null ? rates.solve[key] : await pruningRate(sweeping, null);
}
