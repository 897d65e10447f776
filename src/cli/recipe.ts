import { Command } from 'commander';

import { act, printJson } from './act.ts';
import { addRecipeOptions, recipeFrom, type RecipeFlags } from './recipe-options.ts';

export function recipeCommand(): Command {
  const command = new Command('recipe')
    .description(
      'Print the recipe that a model and flags amount to, with every default filled in; compress takes it with --recipe.',
    )
    .argument('[model]', 'folder of the checkpoint', 'MODEL_DIR');
  return addRecipeOptions(command).action(async (model: string, flags: RecipeFlags) => {
    await act(async () => {
      printJson(recipeFrom(flags.recipe !== undefined && model === 'MODEL_DIR' ? undefined : model, flags));
      await Promise.resolve();
    });
  });
}
