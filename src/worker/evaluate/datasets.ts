import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import type { Stage } from '../../contract/events.ts';
import { datasetResultSchema, type DatasetResult } from '../../contract/measured.ts';
import { measureIds } from '../../contract/measures.ts';
import type { Model } from '../model/open.ts';
import { remembered } from '../machine/cache.ts';
import { Progress } from '../run/progress.ts';
import type { Run } from '../run/run.ts';
import type { Told } from '../run/told.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { EvaluationTokens } from '../texts/dataset.ts';
import { computes } from './measures.ts';
import { predict, type EvaluationOptions, type Predicted } from './predictions.ts';

export interface EvaluationTask extends Told {
  readonly stage: Stage;
  readonly model: Model;
  readonly session: SessionOptions;
  readonly datasets: readonly EvaluationTokens[];
  /** Folder for the activations. */
  readonly scratch: string;
}

/** What a model comes to on each dataset by every measure; all of them go through a block before the next is read. */
export async function evaluateDatasets(task: EvaluationTask): Promise<DatasetResult[]> {
  const { model, session, scratch } = task;
  return await measureDatasets(task, (sets, options) => predict(model, sets, { ...session, ...options, scratch }));
}

type Predicting = Pick<EvaluationOptions, 'seqlen' | 'signal' | 'progress'>;

/** Every measure of what `predicted` gives for all datasets; tells how far that is. */
export async function measureDatasets(
  { stage, datasets, signal, emit }: Pick<EvaluationTask, 'stage' | 'datasets' | 'signal' | 'emit'>,
  predicted: (sets: readonly EvaluationTokens[], options: Predicting) => Promise<Predicted[]>,
): Promise<DatasetResult[]> {
  const seqlen = datasets[0]?.seqlen;
  if (seqlen === undefined) return [];
  const windows = datasets.reduce((sum, dataset) => sum + dataset.windows, 0);
  const progress = new Progress(stage, 1, emit);
  const all = await predicted(datasets, {
    seqlen,
    signal,
    progress: ({ done, total }) => {
      progress.reach(done / total, (windows * seqlen) / total);
    },
  });
  progress.reach(1);
  return datasets.map((dataset, index) => {
    const own = all[index];
    if (!own) throw new Error(`no predictions on ${dataset.name}`);
    const { windows: count, tokens, seconds, predictions } = own;
    const values = measureIds.flatMap((measure) => {
      const measured = computes[measure](predictions, dataset);
      if (measured === null) return [];
      if (!Number.isFinite(measured.value)) throw new TamisError('evaluation.not-finite', { dataset: dataset.name });
      return [{ measure, ...measured }];
    });
    return { dataset: dataset.name, seqlen, windows: count, tokens, seconds, values };
  });
}

/** What a run's dense model comes to: measured once for the same model, data, engine and measures. */
export async function evaluateDense(run: Run): Promise<DatasetResult[]> {
  const { fingerprint, recipe, model, devices } = run;
  const key = {
    model: fingerprint.model,
    evaluation: fingerprint.evaluation,
    engine: fingerprint.engine,
    onCpu: devices.givenUp.device,
    seqlen: recipe.evaluation.seqlen,
    measures: measureIds,
  };
  const { value } = await remembered('evaluation', key, z.array(datasetResultSchema), () =>
    evaluateRun(run, 'evaluate-dense', model),
  );
  return tell(run, 'dense', value);
}

/** What the files come to that a run has written. */
export async function evaluateCompressed(run: Run, compressed: Model): Promise<DatasetResult[]> {
  return tell(run, 'compressed', await evaluateRun(run, 'evaluate-compressed', compressed));
}

async function evaluateRun(run: Run, stage: Stage, model: Model): Promise<DatasetResult[]> {
  const { session } = run.devices;
  return await evaluateDatasets({ ...run, session, stage, model, scratch: run.directory.file('state') });
}

function tell(run: Run, which: 'dense' | 'compressed', results: DatasetResult[]): DatasetResult[] {
  for (const result of results) run.emit({ type: 'measured', which, result });
  return results;
}
