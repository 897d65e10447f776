import { z } from 'zod';

import type { Recipe } from '../../contract/recipe.ts';
import { allLayers, weightName } from '../families/family.ts';
import { controlled, native, type Factor, type Gram } from '../native.ts';
import { Activations } from '../run/activations.ts';
import { remembered } from '../run/cache.ts';
import { Clock } from '../run/clock.ts';
import { Progress } from '../run/progress.ts';
import { stage, type Run, type Step } from '../run/run.ts';
import { activationShape, calibrationOf, passOperations, type Calibration } from './calibration.ts';
import { embedSequences } from './embed.ts';
import { collectGrams, takeFactor } from './grams.ts';
import { need } from './names.ts';

const layerStatisticsSchema = z.strictObject({
  /** mean of W²/U_jj² (method.md, section 5) */
  estimate: z.number(),
  /** tr(W H Wᵀ), undamped */
  energy: z.number(),
  /** Loss of the least salient fraction s = 0, 0.05 … 1, divided by the number of weights. */
  curve: z.array(z.number()).length(21),
});

/** What one calibration pass over the dense model tells of its layers. */
export const statisticsSchema = z.strictObject({
  layers: z.record(z.string(), layerStatisticsSchema),
  /** OWL's D of each block. */
  outliers: z.array(z.number()),
  /** Exponents of the layers' spectra, where AlphaPruning was chosen. */
  alphas: z.record(z.string(), z.number()),
});
export type Statistics = z.infer<typeof statisticsSchema>;

/** OWL counts entries above this many times the mean where the recipe does not choose. */
const OWL_M = 5;

/** The schedulers that look at a calibration pass over the dense model before the run. */
export function needsStatistics({ scheduler }: Recipe): boolean {
  return scheduler.kind === 'kmeans' || scheduler.kind === 'owl';
}

/** The measurements the run's scheduler needs; null if it needs none. A second target or scheduler of the same model and data finds them kept. */
export async function estimateLayers(run: Run): Promise<Step<Statistics> | null> {
  const { recipe, fingerprint, blocks } = run;
  if (recipe.scheduler.kind === 'alpha')
    return await stage(run, 'estimate', statisticsSchema, () => measureSpectra(run));
  if (!needsStatistics(recipe)) return null;
  const m = recipe.scheduler.kind === 'owl' ? recipe.scheduler.m : OWL_M;
  const { model, calibration, engine } = fingerprint;
  const key = { model, calibration, engine, blocks, m, percdamp: recipe.percdamp };
  return await stage(run, 'estimate', statisticsSchema, async () => {
    const { value } = await remembered('statistics', key, statisticsSchema, () => measure(run, m));
    return value;
  });
}

/** One pass of the calibration sequences over the dense model, block by block. */
async function measure(run: Run, m: number): Promise<Statistics> {
  const { forward, gram, factor, energy } = passOperations(run);
  const progress = new Progress('estimate', (forward + gram + factor + energy) * run.blocks, run.emit);
  const calibration = calibrationOf(run, new Clock({}), progress);
  const statistics: Statistics = { layers: {}, outliers: [], alphas: {} };
  const path = run.directory.file('state', 'estimate.f32');
  const activations = Activations.create(path, activationShape(calibration));
  try {
    await embedSequences(calibration, activations);
    for (let block = 0; block < run.blocks; block++) {
      progress.block = block;
      const grams = await collectGrams(calibration, block, activations, block + 1 < run.blocks ? activations : null);
      await measureBlock(run, calibration, block, grams, statistics, m);
      progress.reach((forward + gram + factor + energy) * (block + 1));
    }
  } finally {
    await activations.remove();
  }
  return statistics;
}

async function measureBlock(
  { model, signal, emit }: Run,
  calibration: Calibration,
  block: number,
  grams: Map<string, Gram>,
  statistics: Statistics,
  m: number,
): Promise<void> {
  const factors = new Map<string, Factor>();
  for (const tap of [...grams.keys()]) factors.set(tap, await takeFactor(calibration, grams, block, tap, 'natural'));
  const layers = model.family.layers(block);
  for (const layer of layers) {
    const { name, tap } = layer;
    const measured = await controlled(signal, (control) =>
      native.layerStatistics(model.checkpoint, weightName(layer), need(factors, tap), control),
    );
    statistics.layers[name] = measured;
    emit({ type: 'estimate', layer: name, estimate: measured.estimate });
  }
  const weights = layers.map(weightName);
  const inputs = layers.map(({ tap }) => need(factors, tap));
  statistics.outliers.push(
    await controlled(signal, (control) => native.outliers(model.checkpoint, weights, inputs, m, control)),
  );
  for (const factor of factors.values()) factor.release();
}

/** AlphaPruning's exponents: of the weights alone, each one's whole spectrum. */
async function measureSpectra({ model, blocks, signal, emit }: Run): Promise<Statistics> {
  const layers = allLayers(model.family, blocks);
  const progress = new Progress('estimate', layers.length, emit);
  const alphas: Record<string, number> = {};
  for (const layer of layers) {
    alphas[layer.name] = await controlled(signal, (control) =>
      native.spectrumAlpha(model.checkpoint, weightName(layer), control),
    );
    progress.add(1);
  }
  return { layers: {}, outliers: [], alphas };
}
