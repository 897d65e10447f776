import { readFile } from 'node:fs/promises';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { readError } from '../../disk/file-errors.ts';
import { parseJson } from '../../disk/json.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { needsOf } from '../../contract/recipe/schedulers.ts';
import { leavesTarget } from './needs.ts';
import { schedule } from './schedule.ts';
import type { LayerSize } from './types.ts';

/** The mean sparsity that a recipe asks for: n:m prunes n of every m; a scheduler's file has its own mean. */
export function targetOf({ nm, sparsity }: Pick<Recipe, 'nm' | 'sparsity'>): number {
  return nm ? nm.n / nm.m : (sparsity ?? 0);
}

/** The parsed JSON of the scheduler's file; null where it has none. */
export async function readSparsities({ scheduler }: Pick<Recipe, 'scheduler'>): Promise<unknown> {
  if (scheduler.kind !== 'file') return null;
  try {
    return parseJson(scheduler.path, await readFile(scheduler.path, 'utf8'), z.unknown());
  } catch (error) {
    throw readError(error, scheduler.path);
  }
}

/** Refuses what can be seen to be wrong with a schedule before anything is measured; without a target there is nothing to see yet. */
export function assertSchedule(recipe: Recipe, layers: readonly LayerSize[], sparsities: unknown): void {
  const { scheduler } = recipe;
  if (leavesTarget(recipe)) return;
  const target = targetOf(recipe);
  if (scheduler.kind === 'kmeans') {
    const { groups = 0, min, max } = scheduler;
    if (groups > layers.length) throw new TamisError('schedule.groups', { groups, layers: layers.length });
    if (target < min || target > max) throw new TamisError('schedule.out-of-reach', { target, least: min, most: max });
  } else if (scheduler.kind !== 'auto' && needsOf(scheduler).every((need) => need === 'file')) {
    schedule(scheduler, layers, target, { file: sparsities });
  }
}
