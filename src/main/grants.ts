import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';

import { TamisError } from '../contract/errors.ts';
import { pathsOf } from '../contract/recipe/schedulers.ts';
import type { Corpus, RecipeInput } from '../contract/recipe.ts';

/**
 * The files and folders that the page may name: those that the person chose or dropped, and those that main itself
 * listed. What lies inside a granted folder is granted too. Links count as what they lead to.
 */
export class Grants {
  readonly #real = new Set<string>();

  allow(paths: readonly string[]): void {
    for (const path of paths) this.#real.add(realPath(path));
  }

  /** Every path in a recipe that was loaded from a chosen file or kept from an earlier run. */
  allowRecipe(recipe: RecipeInput): void {
    this.allow(pathsIn(recipe));
  }

  assertPath(path: string): void {
    if (!isAbsolute(path) || !this.#covers(realPath(path))) throw new TamisError('path.not-granted', { path });
  }

  assertRecipe(recipe: RecipeInput): void {
    for (const path of pathsIn(recipe)) this.assertPath(path);
  }

  #covers(real: string): boolean {
    if (this.#real.has(real)) return true;
    const parent = dirname(real);
    return parent !== real && this.#covers(parent);
  }
}

/** The path without links; of what does not exist, that of the nearest folder that does, and the rest behind it. */
function realPath(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync.native(whole);
  } catch {
    const parent = dirname(whole);
    return parent === whole ? whole : join(realPath(parent), basename(whole));
  }
}

/** Every path that a recipe names. */
export function pathsIn({ model, calibration, evaluation, scheduler }: RecipeInput): string[] {
  return [
    model,
    ...corpusPaths(calibration?.corpus),
    ...(evaluation?.datasets ?? []).flatMap(({ corpus }) => corpusPaths(corpus)),
    ...(scheduler ? pathsOf(scheduler) : []),
  ];
}

function corpusPaths(corpus: Corpus | null | undefined): string[] {
  if (!corpus) return [];
  return corpus.kind === 'texts' ? corpus.paths : [corpus.path];
}
