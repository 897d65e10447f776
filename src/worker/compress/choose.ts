import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import type { Targets } from '../../contract/recipe/targets.ts';
import { choiceSchema, type Choice } from '../../contract/report.ts';
import { targetsOf, triesTargets } from '../../contract/targets.ts';
import { candidateName } from '../../contract/words.ts';
import { headAll, windowMeans } from '../evaluate/predictions.ts';
import { Activations } from '../machine/activations.ts';
import { remembered } from '../machine/cache.ts';
import { Clock } from '../machine/clock.ts';
import { Progress } from '../run/progress.ts';
import { stage, type Run, type Step } from '../run/run.ts';
import { throughBlock, throughEmbeddings } from '../runtime/passes.ts';
import { judgeSchedules, judgeTargets } from '../schedule/judge.ts';
import { choiceSequences, schedulesToTry } from '../schedule/needs.ts';
import { compressBlock, embedInput, removeInputs } from './block.ts';
import { blockWork } from './blocks.ts';
import { calibrationOf } from './calibration.ts';
import type { Statistics } from './estimate.ts';
import { candidateScheduler, scheduleOf, type Schedule } from './schedule-layers.ts';
import { shardName, tensorsOfShard } from './shards.ts';

/** null where the trial came to values that are not finite. */
const lossesSchema = z.array(z.number()).nullable();
/** The losses of each schedule, and of the one taken with dense targets, where they were tried. */
const trialsSchema = z.strictObject({ schedules: z.array(lossesSchema), dense: lossesSchema.optional() });
type Trials = z.infer<typeof trialsSchema>;

/**
 * The guard of `auto`: a subsample is compressed by every candidate, and another one than uniform is taken where it clearly does
 * better on the sequences held back. null where the recipe names its scheduler.
 */
export async function chooseSchedule(run: Run, statistics: Statistics | null): Promise<Step<Choice> | null> {
  const { recipe, fingerprint, blocks } = run;
  if (recipe.scheduler.kind !== 'auto') return null;
  const { method, sparsity, quantization, percdamp, layerTargets, denseShare } = recipe;
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
    layerTargets,
    denseShare,
    candidates: schedulesToTry,
  };
  const done = await stage(run, 'choose', choiceSchema, async () => {
    const { value: trials } = await remembered('trials', { ...key, givenUp: run.devices.givenUp }, trialsSchema, () =>
      tryCandidates(run, statistics),
    );
    const choice = choiceOf(run, trials);
    for (const candidate of choice.candidates) {
      if (candidate.perplexity !== null) continue;
      run.emit({ type: 'warning', code: 'schedule.trial-not-finite', params: { schedule: candidateName(candidate) } });
    }
    return choice;
  });
  run.emit({ type: 'choice', choice: done.value });
  return done;
}

function choiceOf(run: Run, { schedules, dense }: Trials): Choice {
  const { sequences = 0, seqlen = 0 } = subsampled(run).calibration ?? {};
  const judged = judgeSchedules(schedules, targetsOf(run.recipe, null));
  const [uniform] = schedules;
  const choice = uniform && dense !== undefined ? judgeTargets(judged, uniform, dense) : judged;
  return { sequences, heldBack: schedules[0]?.length ?? 0, seqlen, ...choice };
}

/** The schedules with the recipe's targets, or with the layers' own; then, where the recipe leaves the targets open, the one taken with dense ones. */
async function tryCandidates(run: Run, statistics: Statistics | null): Promise<Trials> {
  const { recipe } = run;
  const subsample = subsampled(run);
  const first = targetsOf(recipe, null);
  const work = blockWork(subsample, first) * run.blocks;
  const denseWork = triesTargets(recipe) ? blockWork(subsample, 'dense') * run.blocks : 0;
  const progress = new Progress('choose', work * schedulesToTry.length + denseWork, run.emit);
  let done = 0;
  const tryNext = async (candidate: (typeof schedulesToTry)[number], targets: Targets): Promise<number[] | null> => {
    const schedule = { ...scheduleOf(run, statistics, candidateScheduler(candidate)), targets };
    const directory = run.directory.within('choose');
    const own = blockWork(subsample, targets);
    try {
      const losses = await tryOne({ ...subsample, directory }, schedule, progress, (block) =>
        progress.reach(done + own * (block + 1)),
      );
      return [...losses];
    } catch (error) {
      if ((candidate.scheduler === 'uniform' && targets === first) || !isOverflow(error)) throw error;
      return null;
    } finally {
      done += own * run.blocks;
      run.directory.remove('state', 'choose');
    }
  };
  const schedules: (number[] | null)[] = [];
  for (const candidate of schedulesToTry) schedules.push(await tryNext(candidate, first));
  const taken = schedulesToTry[judgeSchedules(schedules, first).chosen];
  return triesTargets(recipe) && taken ? { schedules, dense: await tryNext(taken, 'dense') } : { schedules };
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
  const sequences = choiceSequences(calibration);
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
    await compressBlock(work, block, schedule);
    const shard = directory.file(shardName(model, block + 1));
    await throughBlock(model, block, { ...pass, weights: await tensorsOfShard(shard) });
    directory.remove(shardName(model, block + 1));
    removeInputs(run, block);
    onBlock(block);
  }
  const predictions = await headAll(model, ids, held, { ...devices.session, seqlen, signal }, beforeRun);
  const losses = windowMeans(predictions.losses, seqlen);
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  if (!Number.isFinite(Math.exp(mean))) throw new TamisError('calibration.held-back-not-finite');
  return losses;
}
