import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import type { Recipe } from '../../contract/recipe.ts';
import type { Perplexity } from '../../contract/report.ts';
import { openModel } from '../model/open.ts';
import { sourcesOf, tokensOf } from '../prepare.ts';
import { cacheFolder } from '../run/cache.ts';
import { makeFolder } from '../../contract/disk.ts';
import { timed, type Told } from '../run/told.ts';
import { chooseDevice } from '../runtime/devices.ts';
import type { EvaluationTokens } from './dataset.ts';
import { evaluateDatasets } from './datasets.ts';

/** Perplexity of any checkpoint on the datasets of a recipe's evaluation part; nothing is kept. */
export async function evaluate(
  { model: folder, evaluation, device, threads }: Pick<Recipe, 'model' | 'evaluation' | 'device' | 'threads'>,
  told: Told,
): Promise<Perplexity[]> {
  const model = await openModel(folder);
  const sources = sourcesOf(model);
  const datasets = await timed(told.emit, 'calibration', {}, async () => {
    const all: EvaluationTokens[] = [];
    for (const dataset of evaluation.datasets) all.push(await tokensOf(dataset, evaluation, model, sources));
    return all;
  });
  const count = threads ?? availableParallelism();
  const session = { device: await chooseDevice(device, count), threads: count };
  makeFolder(cacheFolder());
  const scratch = mkdtempSync(join(cacheFolder(), 'evaluation-'));
  try {
    return await evaluateDatasets({ stage: 'evaluate-dense', model, session, datasets, scratch, ...told });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
