import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { choiceSchema, type Choice } from '../../contract/report.ts';
import { candidateName } from '../../contract/words.ts';
import { headAll, windowMeans } from '../evaluate/predictions.ts';
import { Activations } from '../machine/activations.ts';
import { remembered } from '../machine/cache.ts';
import { Clock } from '../machine/clock.ts';
import { Progress } from '../run/progress.ts';
import { stage, type Run, type Step } from '../run/run.ts';
import { throughBlock, throughEmbeddings } from '../runtime/passes.ts';
import { judge, type Losses } from '../schedule/judge.ts';
import { candidates, CHOICE_SEQUENCES } from '../schedule/needs.ts';
import { activationsFile, compressBlock, embedInput } from './block.ts';
import { blockWork } from './blocks.ts';
import { calibrationOf } from './calibration.ts';
import type { Statistics } from './estimate.ts';
import { candidateScheduler, planLayers, scheduleOf, type Schedule } from './schedule-layers.ts';
import { shardName, tensorsOfShard } from './shards.ts';

/** The losses of each candidate; null where its trial came to values that are not finite. */
const trialsSchema = z.array(z.array(z.number()).nullable());

/**
 * The guard of `auto`: a subsample is compressed by every candidate, and another one than uniform is taken where it clearly does
 * better on the sequences held back. null where the recipe names its scheduler.
 */
export async function chooseSchedule(run: Run, statistics: Statistics | null): Promise<Step<Choice> | null> {
  const { recipe, fingerprint, blocks } = run;
  if (recipe.scheduler.kind !== 'auto') return null;
  const { method, sparsity, quantization, percdamp } = recipe;
  const { model, calibration, heldBack, engine, gpu } = fingerprint;
  const key = {
    model,
    calibration,
    heldBack,
    engine,
    gpu,
    blocks,
    method,
    sparsity,
    quantization,
    percdamp,
    candidates,
  };
  const done = await stage(run, 'choose', choiceSchema, async () => {
    const { value: trials } = await remembered('trials', { ...key, givenUp: run.devices.givenUp }, trialsSchema, () =>
      tryCandidates(run, statistics),
    );
    for (const [index, candidate] of candidates.entries()) {
      if (trials[index]) continue;
      run.emit({ type: 'warning', code: 'schedule.trial-not-finite', params: { schedule: candidateName(candidate) } });
    }
    return choiceOf(run, trials);
  });
  run.emit({ type: 'choice', choice: done.value });
  return done;
}

function choiceOf(run: Run, trials: readonly (Losses | null)[]): Choice {
  const { sequences = 0, seqlen = 0 } = subsampled(run).calibration ?? {};
  return { sequences, heldBack: trials[0]?.length ?? 0, seqlen, ...judge(trials) };
}

async function tryCandidates(run: Run, statistics: Statistics | null): Promise<(number[] | null)[]> {
  const subsample = subsampled(run);
  const work = blockWork(subsample);
  const progress = new Progress('choose', work * run.blocks * candidates.length, run.emit);
  const trials: (number[] | null)[] = [];
  for (const [index, candidate] of candidates.entries()) {
    const schedule = scheduleOf(run, statistics, candidateScheduler(candidate));
    const directory = run.directory.within('choose');
    try {
      const losses = await tryOne({ ...subsample, directory }, schedule, progress, (block) =>
        progress.reach(work * (index * run.blocks + block + 1)),
      );
      trials.push([...losses]);
    } catch (error) {
      if (candidate.scheduler === 'uniform' || !isOverflow(error)) throw error;
      trials.push(null);
    } finally {
      run.directory.remove('state', 'choose');
    }
  }
  return trials;
}

/** What a run ends with whose numbers became too large: a schedule that would come to it is not taken. */
function isOverflow(error: unknown): boolean {
  const codes = ['calibration.not-finite', 'calibration.held-back-not-finite', 'factor.failed'];
  return error instanceof TamisError && codes.includes(error.code);
}

/** The run with the first calibration sequences only; of what it tells, progress and warnings are passed on. */
function subsampled(run: Run): Run {
  const { emit } = run;
  const calibration = calibrationOf(run);
  const sequences = Math.min(CHOICE_SEQUENCES, calibration.sequences);
  return {
    ...run,
    calibration: { ...calibration, sequences, tokens: calibration.tokens.subarray(0, sequences * calibration.seqlen) },
    emit: (event) => {
      if (event.type === 'progress' || event.type === 'warning') emit(event);
    },
  };
}

/** Mean negative log-likelihood of each sequence held back, each block pruned and thrown away when they are through it. */
async function tryOne(
  run: Run,
  schedule: Schedule,
  progress: Progress,
  onBlock: (block: number) => void,
): Promise<Float64Array> {
  const { model, directory, devices, signal } = run;
  const work = { ...run, clock: new Clock(), progress };
  const { heldBack: ids, seqlen } = calibrationOf(run);
  const beforeRun = (): void => signal.throwIfAborted();
  const shape = { sequences: ids.length / seqlen, seqlen, hidden: model.family.hidden };
  await using held = Activations.scratch(directory.file('state', 'held-back.f32'), shape);
  const pass = { ...devices.session, seqlen, beforeRun, input: held, output: held };
  await embedInput(work);
  await throughEmbeddings(model, ids, held, pass);
  for (let block = 0; block < model.family.blocks; block++) {
    progress.block = block;
    if (block >= run.blocks) {
      await throughBlock(model, block, pass);
      continue;
    }
    await compressBlock(work, block, planLayers(run, schedule, block));
    const shard = directory.file(shardName(model, block + 1));
    await throughBlock(model, block, { ...pass, weights: await tensorsOfShard(shard) });
    directory.remove(shardName(model, block + 1));
    directory.remove('state', activationsFile(block));
    onBlock(block);
  }
  const predictions = await headAll(model, ids, held, { ...devices.session, seqlen, signal }, beforeRun);
  const losses = windowMeans(predictions.losses, seqlen);
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  if (!Number.isFinite(Math.exp(mean))) throw new TamisError('calibration.held-back-not-finite');
  return losses;
}
