import { methods } from './recipe/methods.ts';
import type { Targets } from './recipe/targets.ts';
import type { Recipe } from './recipe.ts';
import type { Choice } from './report.ts';

/** What the layers of a run aim at; `choice`: null where `auto` has tried nothing. */
export function targetsOf({ layerTargets: wanted }: Pick<Recipe, 'layerTargets'>, choice: Choice | null): Targets {
  if (wanted !== 'auto') return wanted;
  return choice?.candidates[choice.chosen]?.targets ?? 'layer';
}

/** Whether the trial of `auto` is to decide: a method that looks at no data has no targets, and a recipe may name them. */
export function triesTargets({ layerTargets: wanted, method }: Pick<Recipe, 'layerTargets' | 'method'>): boolean {
  return wanted === 'auto' && methods[method].calibrates;
}
