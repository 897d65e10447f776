import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import type { Stage } from '../../contract/events.ts';
import { perplexitySchema, type Perplexity } from '../../contract/report.ts';
import type { Model } from '../model/open.ts';
import { remembered } from '../machine/cache.ts';
import { Progress } from '../run/progress.ts';
import type { Run } from '../run/run.ts';
import type { Told } from '../run/told.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { bitsPerByte, type EvaluationTokens } from '../texts/dataset.ts';
import { perplexities, type EvaluationOptions, type Perplexity as Measured } from './perplexity.ts';

export interface EvaluationTask extends Told {
  readonly stage: Stage;
  readonly model: Model;
  readonly session: SessionOptions;
  readonly datasets: readonly EvaluationTokens[];
  /** Folder for the activations. */
  readonly scratch: string;
}

/** Perplexity of a model on each dataset; all of them go through a block before the next is read. */
export async function evaluateDatasets(task: EvaluationTask): Promise<Perplexity[]> {
  const { model, session, scratch } = task;
  return await measureDatasets(task, (sets, options) => perplexities(model, sets, { ...session, ...options, scratch }));
}

type Measuring = Pick<EvaluationOptions, 'seqlen' | 'signal' | 'progress'>;

/** Has `measure` measure all datasets, and tells how far it is. */
export async function measureDatasets(
  { stage, datasets, signal, emit }: Pick<EvaluationTask, 'stage' | 'datasets' | 'signal' | 'emit'>,
  measure: (sets: readonly EvaluationTokens[], options: Measuring) => Promise<Measured[]>,
): Promise<Perplexity[]> {
  const seqlen = datasets[0]?.seqlen;
  if (seqlen === undefined) return [];
  const windows = datasets.reduce((sum, dataset) => sum + dataset.windows, 0);
  const progress = new Progress(stage, 1, emit);
  const measured = await measure(datasets, {
    seqlen,
    signal,
    progress: ({ done, total }) => {
      progress.reach(done / total, (windows * seqlen) / total);
    },
  });
  progress.reach(1);
  return measured.map(({ name, perplexity, tokens, windows: count, seconds }, index) => {
    if (!Number.isFinite(perplexity)) throw new TamisError('evaluation.not-finite', { dataset: name });
    const dataset = datasets[index];
    const bits = dataset ? bitsPerByte(Math.log(perplexity), dataset) : null;
    return { dataset: name, seqlen, windows: count, tokens, perplexity, bitsPerByte: bits, seconds };
  });
}

/** Perplexity of a run's dense model: measured once for the same model, data and engine. */
export async function evaluateDense(run: Run): Promise<Perplexity[]> {
  const { fingerprint, recipe, model, devices } = run;
  const key = {
    model: fingerprint.model,
    evaluation: fingerprint.evaluation,
    engine: fingerprint.engine,
    onCpu: devices.givenUp.device,
    seqlen: recipe.evaluation.seqlen,
  };
  const { value } = await remembered('perplexity', key, z.array(perplexitySchema), () =>
    evaluateRun(run, 'evaluate-dense', model),
  );
  return tell(run, 'dense', value);
}

/** Perplexity of the files that a run has written. */
export async function evaluateCompressed(run: Run, compressed: Model): Promise<Perplexity[]> {
  return tell(run, 'compressed', await evaluateRun(run, 'evaluate-compressed', compressed));
}

async function evaluateRun(run: Run, stage: Stage, model: Model): Promise<Perplexity[]> {
  const { session } = run.devices;
  return await evaluateDatasets({ ...run, session, stage, model, scratch: run.directory.file('state') });
}

function tell(run: Run, which: 'dense' | 'compressed', results: Perplexity[]): Perplexity[] {
  for (const result of results) run.emit({ type: 'perplexity', which, result });
  return results;
}
