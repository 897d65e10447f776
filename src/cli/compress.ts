import { resolve } from 'node:path';

import { Command } from 'commander';

import { compress } from '../worker/engine.ts';
import { act, print, printJson } from './act.ts';
import { compressToGoal } from './goal.ts';
import { addRecipeOptions, recipeFrom, type RecipeFlags } from './recipe-options.ts';
import { summary } from './summary.ts';

interface Flags extends RecipeFlags {
  out: string;
  json?: true;
}

export function compressCommand(): Command {
  const command = new Command('compress')
    .description(
      'Prune and quantize a checkpoint and measure what that cost: writes a folder that transformers loads, and its report.',
    )
    .argument('[model]', 'folder of the checkpoint (config.json and the weights); may come from the recipe')
    .requiredOption('--out <dir>', 'new folder for the compressed model, its report and the state of the run')
    .option('--json', 'print report.json on standard output');
  return addRecipeOptions(command).action(async (model: string | undefined, flags: Flags) => {
    await act(async (acting) => {
      const recipe = recipeFrom(model, flags);
      const { fit } = recipe;
      const report = await (fit ? compressToGoal(recipe, fit, flags.out, acting) : compress(recipe, flags.out, acting));
      if (flags.json) printJson(report);
      else print(summary(report, resolve(flags.out)));
    });
  });
}
