import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { recipeOfFile } from '../../disk/recipe-file.ts';
import { parseRecipe, type Recipe, type RecipeInput } from '../../contract/recipe.ts';
import type { Host } from '../host.ts';
import { choosePaths } from '../dialogs.ts';
import { askAlone } from '../engine/service.ts';
import { makeFolder } from '../../disk/files.ts';
import type { HandlersOf } from '../ipc.ts';

export function planHandlers(host: Host): HandlersOf<'plans.' | 'recipes.'> {
  const { stores, service, launch } = host;
  let planning = new AbortController();
  let trying = new AbortController();
  const granted = (input: RecipeInput): Recipe => {
    const recipe = parseRecipe(input);
    stores.grants.assertRecipe(recipe);
    return recipe;
  };
  return {
    'recipes.load': async () => {
      const [path] = await choosePaths(host.window, host.t, 'recipe');
      if (path === undefined) return null;
      const recipe = parseRecipe(recipeOfFile(path, await readFile(path, 'utf8')));
      stores.grants.allowRecipe(recipe);
      return recipe;
    },
    'plans.make': async ({ recipe }) => {
      planning.abort();
      planning = new AbortController();
      const { signal } = planning;
      return await service.ask('plan', { recipe: granted(recipe), out: host.runsFolder }, { signal });
    },
    'plans.try': async ({ recipe }) => {
      trying.abort();
      trying = new AbortController();
      const { signal } = trying;
      makeFolder(host.runsFolder);
      const folder = await mkdtemp(join(host.runsFolder, '.trial-'));
      try {
        const tell = (progress: { done: number; total: number; remainingSeconds: number | null }): void =>
          host.tell('plans.progress', progress);
        return await askAlone(launch, 'try', { recipe: granted(recipe), folder }, { signal, tell });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    'plans.cancel-try': () => {
      trying.abort();
      return null;
    },
  };
}
