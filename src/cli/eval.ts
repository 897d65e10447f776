import { resolve } from 'node:path';

import { Command } from 'commander';

import { TamisError } from '../contract/errors.ts';
import { fixed, percent, perplexity, significant } from '../contract/format.ts';
import { valueOf, type DatasetResult } from '../contract/measured.ts';
import { mainMeasures, measureIds, writeValue, type MeasureId } from '../contract/measures.ts';
import { labels } from '../contract/messages/labels.ts';
import { modelDivergences, type ModelDivergence } from '../worker/evaluate/divergence.ts';
import { evaluate } from '../worker/evaluate/evaluate.ts';
import { act, print, printJson } from './act.ts';
import { addDeviceOptions, addEvaluationOptions, recipeFrom, type RecipeFlags } from './recipe-options.ts';
import { table } from './table.ts';

interface Flags extends RecipeFlags {
  against?: string;
  json?: true;
}

export function evalCommand(): Command {
  const command = new Command('eval')
    .description(
      'Perplexity of a checkpoint or an export as the papers measure it: windows that do not overlap, the tail dropped.',
    )
    .argument('<model>', 'folder of the checkpoint (config.json and the weights), or what tamis export wrote')
    .option('--against <model>', 'a second one: also how far its probabilities are from those of the first')
    .option('--json', 'print the numbers as JSON');
  addEvaluationOptions(command);
  return addDeviceOptions(command).action(async (folder: string, { against, json, ...flags }: Flags) => {
    await act(async (acting) => {
      const recipe = recipeFrom(folder, flags);
      if (recipe.evaluation.datasets.length === 0) throw new TamisError('cli.no-evaluation');
      const { model } = recipe;
      const told = { signal: acting.signal, emit: acting.onEvent };
      if (against === undefined) {
        const results = await evaluate(recipe, told);
        if (json) printJson({ model, results });
        else print(describeResults(results));
        return;
      }
      const other = resolve(against);
      const divergences = await modelDivergences(recipe, other, told);
      if (json) printJson({ model, against: other, comparison: divergences });
      else print(describeDivergences(divergences));
    });
  });
}

function describeResults(results: readonly DatasetResult[]): string {
  const restated = measureIds.filter((id) => !mainMeasures.includes(id));
  const cells = (result: DatasetResult, ids: readonly MeasureId[], decimals?: number): string[] =>
    ids.map((id) => {
      const value = valueOf(result, id);
      return value === undefined ? '–' : writeValue(id, value, decimals);
    });
  const rows = results.map((result) => [
    result.dataset,
    ...cells(result, mainMeasures),
    String(result.seqlen),
    String(result.windows),
    ...cells(result, restated, 4),
    Math.round(result.tokens / result.seconds).toString(),
  ]);
  const t = labels('en');
  const names = (ids: readonly MeasureId[]): string[] => ids.map((id) => t(`measure.${id}.in-text`));
  return table(['Dataset', ...names(mainMeasures), 'seqlen', 'windows', ...names(restated), 'tokens/s'], rows);
}

function describeDivergences(results: readonly ModelDivergence[]): string {
  const rows = results.map((result) => [
    result.dataset,
    perplexity(result.perplexity),
    perplexity(result.againstPerplexity),
    fixed(result.againstPerplexity / result.perplexity, 4),
    significant(result.divergence, 4),
    `${percent(result.agreement, 2)} %`,
    String(result.seqlen),
    String(result.windows),
  ]);
  return table(
    ['Dataset', 'perplexity', 'against', 'ratio', 'KL, nats/token', 'same top token', 'seqlen', 'windows'],
    rows,
  );
}
