import { Command } from 'commander';

import { TamisError } from '../contract/errors.ts';
import { perplexity } from '../contract/format.ts';
import { evaluate } from '../worker/evaluate/evaluate.ts';
import { act, print, printJson } from './act.ts';
import { addDeviceOptions, addEvaluationOptions, recipeFrom, type RecipeFlags } from './recipe-options.ts';
import { table } from './table.ts';

export function evalCommand(): Command {
  const command = new Command('eval')
    .description('Perplexity of a checkpoint as the papers measure it: windows that do not overlap, the tail dropped.')
    .argument('<model>', 'folder of the checkpoint (config.json and .safetensors)')
    .option('--json', 'print the perplexities as JSON');
  addEvaluationOptions(command);
  return addDeviceOptions(command).action(async (folder: string, flags: RecipeFlags & { json?: true }) => {
    await act(async ({ signal, onEvent }) => {
      const recipe = recipeFrom(folder, flags);
      if (recipe.evaluation.datasets.length === 0) throw new TamisError('cli.no-evaluation');
      const results = await evaluate(recipe, { signal, emit: onEvent });
      if (flags.json) {
        printJson({ model: recipe.model, perplexity: results });
        return;
      }
      const rows = results.map((result) => [
        result.dataset,
        perplexity(result.perplexity),
        String(result.seqlen),
        String(result.windows),
        result.bitsPerByte?.toFixed(4) ?? '–',
        Math.round(result.tokens / result.seconds).toString(),
      ]);
      print(table(['Dataset', 'perplexity', 'seqlen', 'windows', 'bits/byte', 'tokens/s'], rows));
    });
  });
}
