import { availableParallelism } from 'node:os';

import { TamisError } from '../../contract/errors.ts';
import { layerBits, matchesLayer } from '../../contract/quantization.ts';
import { methods } from '../../contract/recipe/methods.ts';
import { bitWidths } from '../../contract/recipe/fields.ts';
import type { Recipe } from '../../contract/recipe.ts';
import type { Report } from '../../contract/report.ts';
import { weightShape } from '../families/family.ts';
import { layersOf } from '../model/layers.ts';
import type { Model } from '../model/open.ts';
import { chooseDevice } from '../runtime/devices.ts';
import { chooseGpu, type Warn } from '../runtime/gpu.ts';
import { needsStatistics } from '../schedule/needs.ts';
import { resolveScheduler } from '../schedule/schedule.ts';
import { seqlenOf } from '../texts/sources.ts';
import { withSizeTarget } from './packed.ts';

/**
 * Decides what a recipe leaves open (device, threads, sequence lengths, the family's scheduler, the target of a size where no bits are
 * to be chosen), so that it reproduces the run.
 */
export async function resolveRecipe(recipe: Recipe, model: Model, warn: Warn): Promise<Recipe> {
  const threads = recipe.threads ?? availableParallelism();
  const { blocks, maxSeqlen, defaultScheduler } = model.family;
  if (recipe.blocks !== null && recipe.blocks > blocks)
    throw new TamisError('recipe.too-many-blocks', { blocks: recipe.blocks, limit: blocks });
  assertPattern(recipe, model);
  assertQuantization(recipe, model);
  const sized = withSizeTarget(recipe, model);
  return {
    ...(measuresBits(recipe) ? recipe : sized),
    device: await chooseDevice(recipe.device, threads),
    gpu: usesHessians(recipe) ? await chooseGpu(recipe.gpu, warn) : 'none',
    threads,
    scheduler:
      recipe.scheduler.kind === 'auto' ? recipe.scheduler : resolveScheduler(recipe.scheduler, defaultScheduler),
    calibration: {
      ...recipe.calibration,
      seqlen: seqlenOf('calibration.seqlen', recipe.calibration.seqlen, maxSeqlen),
    },
    evaluation: { ...recipe.evaluation, seqlen: seqlenOf('evaluation.seqlen', recipe.evaluation.seqlen, maxSeqlen) },
  };
}

/** Whether there is anything for a GPU to do but forward passes. */
export function usesHessians(recipe: Recipe): boolean {
  return methods[recipe.method].calibrates || needsStatistics(recipe);
}

/** Whether the run itself decides the target of a size, with the bits: it needs calibration data and a choice. */
function measuresBits({ method, quantization }: Recipe): boolean {
  return methods[method].calibrates && quantization !== null && quantization.bits > bitWidths[0];
}

/** n:m must divide the columns of every layer. */
function assertPattern({ nm }: Recipe, model: Model): void {
  if (nm === null) return;
  for (const layer of model.family.layers(0)) {
    const { cols } = weightShape(layer, model.tensors);
    if (cols % nm.m !== 0)
      throw new TamisError('recipe.pattern-does-not-divide', { n: nm.n, m: nm.m, layer: layer.name, cols });
  }
}

/** Act-order sorts by the Hessian, and tears apart the neighbours of an n:m pattern; an exception has layers to be one for. */
function assertQuantization({ quantization, method, nm }: Recipe, model: Model): void {
  if (quantization === null) return;
  if (quantization.actOrder && !methods[method].sweeps)
    throw new TamisError('recipe.act-order-without-sweep', { method });
  if (quantization.actOrder && nm !== null) throw new TamisError('recipe.act-order-with-nm');
  const names = layersOf(model, model.family.blocks).map(({ name }) => name);
  for (const { layers } of quantization.exceptions) {
    if (!names.some((name) => matchesLayer(layers, name)))
      throw new TamisError('recipe.exception-without-layers', { pattern: layers, example: names[0] ?? '' });
  }
}

/** A warning for each type of layer, of its first whose last group of columns comes out shorter than the others. */
export function unevenGroups({ quantization, blocks }: Recipe, model: Model): Report['warnings'] {
  const groupSize = quantization?.groupSize ?? null;
  if (groupSize === null) return [];
  const uneven = layersOf(model, blocks ?? model.family.blocks).filter(
    ({ name, cols }) => layerBits(quantization, name) !== null && cols > groupSize && cols % groupSize !== 0,
  );
  const first = new Map(uneven.toReversed().map((layer) => [layer.type, layer]));
  return [...first.values()].map(({ name, cols }) => ({
    code: 'quantization.uneven-groups',
    params: { layer: name, cols, groupSize },
  }));
}
