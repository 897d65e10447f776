import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import type { DatasetResult } from '../../contract/measured.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { withDenseFolder } from '../formats/dense-folder.ts';
import { openModel } from '../model/open.ts';
import { cacheFolder } from '../machine/cache.ts';
import { makeFolder } from '../../disk/files.ts';
import { timed, type Told } from '../run/told.ts';
import { chooseDevice } from '../runtime/devices.ts';
import { isOnnxFolder, openOnnxModel, type OnnxModel } from '../runtime/onnx-model.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { EvaluationTokens } from '../texts/dataset.ts';
import { sourcesOf, tokensOf, type Vocabulary } from '../texts/sources.ts';
import { evaluateDatasets, measureDatasets } from './datasets.ts';
import { predictOnnx } from './onnx.ts';

export type Evaluated = Pick<Recipe, 'model' | 'evaluation' | 'device' | 'threads'>;

/**
 * What any checkpoint or export comes to on the datasets of a recipe's evaluation part; nothing is kept. An ONNX export is run as
 * it is; others are unpacked for as long as it takes.
 */
export async function evaluate(wanted: Evaluated, told: Told): Promise<DatasetResult[]> {
  if (isOnnxFolder(wanted.model)) return await evaluateOnnx(wanted, told);
  return await withDenseFolder(wanted.model, told.signal, async (folder) => {
    const model = await openModel(folder);
    const datasets = await tokensOfAll(wanted, model, told);
    const session = await sessionOf(wanted);
    return await withScratch((scratch) =>
      evaluateDatasets({ stage: 'evaluate-dense', model, session, datasets, scratch, ...told }),
    );
  });
}

async function evaluateOnnx(wanted: Evaluated, told: Told): Promise<DatasetResult[]> {
  const session = await sessionOf(wanted);
  await using model = await openOnnxModel(wanted.model, session);
  const datasets = await tokensOfAll(wanted, vocabularyOf(wanted.model, model), told);
  return await measureDatasets({ stage: 'evaluate-dense', datasets, ...told }, (sets, options) =>
    predictOnnx(model, sets, { ...session, ...options }),
  );
}

export function vocabularyOf(folder: string, { shape, maxSeqlen }: OnnxModel): Vocabulary {
  return { folder, family: { vocab: shape.vocab, maxSeqlen } };
}

export async function tokensOfAll(
  { evaluation }: Evaluated,
  model: Vocabulary,
  { emit }: Told,
): Promise<EvaluationTokens[]> {
  const sources = sourcesOf(model);
  return await timed(emit, 'calibration', async () => {
    const all: EvaluationTokens[] = [];
    for (const dataset of evaluation.datasets) all.push(await tokensOf(dataset, evaluation, model, sources));
    return all;
  });
}

export async function sessionOf({ device, threads }: Evaluated): Promise<SessionOptions> {
  const count = threads ?? availableParallelism();
  return { device: await chooseDevice(device, count), threads: count };
}

/** A folder for activations, under the cache folder. */
export async function withScratch<T>(use: (folder: string) => Promise<T>): Promise<T> {
  makeFolder(cacheFolder());
  const scratch = mkdtempSync(join(cacheFolder(), 'evaluation-'));
  try {
    return await use(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
