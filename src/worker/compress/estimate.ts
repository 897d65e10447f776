import { z } from 'zod';

import { methods } from '../../contract/recipe/methods.ts';
import { schedulers } from '../../contract/recipe/schedulers.ts';
import { allLayers, weightName } from '../families/family.ts';
import { constants, controlled, native, type Factor } from '../native.ts';
import { Activations } from '../machine/activations.ts';
import { remembered } from '../machine/cache.ts';
import { Clock } from '../machine/clock.ts';
import { Progress } from '../run/progress.ts';
import { stage, type Run, type Step, type Work } from '../run/run.ts';
import { throughEmbeddings } from '../runtime/passes.ts';
import {
  bitsToChoose,
  needsSensitivities,
  needsSpectra,
  needsStatistics,
  GROWTH_SPARSITY,
  SENSITIVITY_SPARSITY,
  sensitivityMethod,
  sensitivitySample,
  solvingMethod,
} from '../schedule/needs.ts';
import { activationShape, calibrationOf, passOf, passOperations } from './calibration.ts';
import { collectGrams, takeFactor, TapMap } from './grams.ts';
import { need } from './names.ts';
import { useFactor } from './solver.ts';
import {
  branchWork,
  heldBackOf,
  SensitivityPass,
  sensitivityWork,
  type BranchResults,
  type Branches,
} from './sensitivity.ts';

const layerStatisticsSchema = z.strictObject({
  /** mean of W²/U_jj² (method.md, section 5) */
  estimate: z.number(),
  /** tr(W H Wᵀ), undamped */
  energy: z.number(),
  /** Loss of the least salient fraction s = 0, 0.05 … 1, divided by the number of weights. */
  curve: z.array(z.number()).length(constants.method.curvePoints),
});

const byNameSchema = z.record(z.string(), z.number());

/** What one calibration pass over the dense model tells of its layers. */
export const statisticsSchema = z.strictObject({
  layers: z.record(z.string(), layerStatisticsSchema),
  /** OWL's D of each block. */
  outliers: z.array(z.number()),
  /** Exponents of the layers' spectra, where AlphaPruning was chosen. */
  alphas: z.record(z.string(), z.number()),
  /** Nats a token, by layer; empty where the run does not go by them. */
  sensitivities: byNameSchema,
  /** The error of each layer pruned at 90 %, as a multiple of that at 70 %; with the sensitivities. */
  growths: byNameSchema,
  /** Nats a token, by the bits to which all layers are quantized; empty where there are none to choose from. */
  quantized: byNameSchema,
});
export type Statistics = z.infer<typeof statisticsSchema>;

/** The measurements the run's scheduler needs; null if it needs none. A second target or scheduler of the same model and data finds them kept. */
export async function estimateLayers(run: Run): Promise<Step<Statistics> | null> {
  const { recipe } = run;
  const hasSpectra = needsSpectra(recipe);
  if (!hasSpectra && !needsStatistics(recipe)) return null;
  return await stage(run, 'estimate', statisticsSchema, async () => {
    const measured = needsStatistics(recipe) ? await passStatistics(run) : noStatistics;
    return hasSpectra ? { ...measured, alphas: await measureSpectra(run) } : measured;
  });
}

const sensitivitiesSchema = statisticsSchema.pick({ sensitivities: true, growths: true });

const noStatistics: Statistics = {
  layers: {},
  outliers: [],
  alphas: {},
  sensitivities: {},
  growths: {},
  quantized: {},
};
const noBranches: Branches = { layers: false, bits: [] };

/** What is found measured already is not measured again. */
async function passStatistics(run: Run): Promise<Statistics> {
  const { recipe, fingerprint, blocks } = run;
  const m = recipe.scheduler.kind === 'owl' ? recipe.scheduler.m : schedulers.owl.fields.m.schema.parse(undefined);
  const { model, calibration, engine, gpu, heldBack } = fingerprint;
  const { givenUp } = run.devices;
  const key = { model, calibration, engine, gpu, givenUp, blocks, m, percdamp: recipe.percdamp };
  const sampled = { ...key, heldBack, ...sensitivitySample(heldBackOf(run)) };
  const bits = bitsToChoose(recipe);
  let measured: Statistics | null = null;
  let sensitivities: z.infer<typeof sensitivitiesSchema> = { sensitivities: {}, growths: {} };
  let quantized: Statistics['quantized'] = {};
  if (needsSensitivities(recipe)) {
    const sparsities = [SENSITIVITY_SPARSITY, GROWTH_SPARSITY];
    const of = { ...sampled, sparsities, method: sensitivityMethod(solvingMethod(recipe)) };
    ({ value: sensitivities } = await remembered('sensitivities', of, sensitivitiesSchema, async () => {
      measured = await measure(run, m, { layers: true, bits });
      return { sensitivities: measured.sensitivities, growths: measured.growths };
    }));
  }
  if (bits.length > 0) {
    const of = { ...sampled, method: recipe.method, quantization: recipe.quantization };
    ({ value: quantized } = await remembered('quantized', of, byNameSchema, async () => {
      measured ??= await measure(run, m, { layers: false, bits });
      return measured.quantized;
    }));
  }
  const { value } = await remembered('statistics', key, statisticsSchema, async () => ({
    ...(measured ?? (await measure(run, m, noBranches))),
    sensitivities: {},
    growths: {},
    quantized: {},
  }));
  return { ...value, ...sensitivities, quantized };
}

/** One pass of the calibration sequences over the dense model, block by block, and of the branches with it. */
async function measure(run: Run, m: number, wanted: Branches): Promise<Statistics> {
  const { model, recipe, blocks, directory, emit } = run;
  const { forward, gram, factor, energy } = passOperations(run);
  const operations = forward + gram + factor + energy;
  const keepsHessian = wanted.layers && methods[sensitivityMethod(solvingMethod(recipe))].iterates;
  const hasBranches = wanted.layers || wanted.bits.length > 0;
  const further = hasBranches ? branchWork(run, wanted) : 0;
  const progress = new Progress('estimate', operations * blocks + further, emit);
  const work = { ...run, clock: new Clock(), progress };
  const statistics: Statistics = { ...noStatistics, layers: {}, outliers: [] };
  await using branches = hasBranches ? await SensitivityPass.open(sensitivityWork(work), wanted) : null;
  await using activations = Activations.scratch(directory.file('state', 'estimate.f32'), activationShape(run));
  await throughEmbeddings(model, calibrationOf(run).tokens, activations, passOf(work, 'forward'));
  for (let block = 0; block < blocks; block++) {
    progress.block = block;
    using factors = await collectFactors(work, block, activations, keepsHessian);
    await measureBlock(work, block, factors, m, statistics);
    await branches?.addBlock(block, factors);
    if (!branches) progress.reach(operations * (block + 1));
  }
  progress.block = null;
  if (branches) {
    const { layers, bits, growths } = await measureBranches(run, branches);
    statistics.sensitivities = layers;
    statistics.growths = growths;
    statistics.quantized = bits;
  }
  return statistics;
}

/** The branches through the blocks that are not compressed, and what they come to at the end. */
async function measureBranches({ blocks, model, emit }: Run, branches: SensitivityPass): Promise<BranchResults> {
  for (let block = blocks; block < model.family.blocks; block++) await branches.advance(block);
  const results = await branches.results();
  for (const [layer, sensitivity] of Object.entries(results.layers)) emit({ type: 'sensitivity', layer, sensitivity });
  return results;
}

/** The factors of all taps of a dense block, through which the activations go to the next. */
async function collectFactors(
  work: Work,
  block: number,
  activations: Activations,
  keepsHessian: boolean,
): Promise<TapMap<Factor>> {
  using grams = await collectGrams(work, block, activations, block + 1 < work.blocks ? activations : null);
  const factors = new TapMap<Factor>();
  try {
    for (const tap of [...grams.keys()])
      factors.set(tap, await takeFactor(work, grams, block, tap, { order: 'natural', keepsHessian }));
    return factors;
  } catch (error) {
    factors[Symbol.dispose]();
    throw error;
  }
}

/** Adds what the factors tell of a block's layers to the statistics; `m`: what OWL counts as an outlier. */
async function measureBlock(
  work: Work,
  block: number,
  factors: ReadonlyMap<string, Factor>,
  m: number,
  statistics: Statistics,
): Promise<void> {
  const { model, signal, emit } = work;
  const layers = model.family.layers(block);
  for (const layer of layers) {
    const { name, tap } = layer;
    const measured = await useFactor(work, need(factors, tap), layer.type, (factor, control) =>
      native.layerStatistics(model.checkpoint, weightName(layer), factor, control),
    );
    statistics.layers[name] = measured;
    emit({ type: 'estimate', layer: name, estimate: measured.estimate });
  }
  const weights = layers.map(weightName);
  const inputs = layers.map(({ tap }) => need(factors, tap));
  statistics.outliers.push(
    await controlled(signal, (control) => native.outliers(model.checkpoint, weights, inputs, m, control)),
  );
}

/** AlphaPruning's exponents: of the weights alone, each one's whole spectrum. */
async function measureSpectra({ model, blocks, signal, emit }: Run): Promise<Statistics['alphas']> {
  const layers = allLayers(model.family, blocks);
  const progress = new Progress('estimate', layers.length, emit);
  const alphas: Record<string, number> = {};
  for (const layer of layers) {
    alphas[layer.name] = await controlled(signal, (control) =>
      native.spectrumAlpha(model.checkpoint, weightName(layer), control),
    );
    progress.add(1);
  }
  return alphas;
}
