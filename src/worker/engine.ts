import { resolve } from 'node:path';

import { z } from 'zod';

import { TamisError } from '../contract/errors.ts';
import { datasetResultSchema, type DatasetResult } from '../contract/measured.ts';
import type { Recipe } from '../contract/recipe.ts';
import type { Report } from '../contract/report.ts';
import { compressBlocks } from './compress/blocks.ts';
import { chooseSchedule } from './compress/choose.ts';
import { estimateLayers } from './compress/estimate.ts';
import { scheduleLayers } from './compress/schedule-layers.ts';
import { assertInReach, decideTarget } from './compress/target.ts';
import { evaluateCompressed, evaluateDense } from './evaluate/datasets.ts';
import { packedSize } from './formats/tamis/size.ts';
import { layersOf } from './model/layers.ts';
import { openModel } from './model/open.ts';
import { resolveRecipe } from './plan/resolve.ts';
import { prepare } from './prepare.ts';
import { buildReport } from './report/build.ts';
import { writeReport } from './report/write.ts';
import { isFree, RunDirectory } from './run/directory.ts';
import { givenUpSchema, nothingGivenUp } from './run/devices.ts';
import { EventLog, logFailure, type OnEvent } from './run/event-log.ts';
import { watchGpu } from './run/gpu-usage.ts';
import { assertSame, fingerprintId, fingerprintSchema, takeFingerprint } from './run/fingerprint.ts';
import type { Inputs } from './run/inputs.ts';
import { nothingToDo, stage, type Run, type Step } from './run/run.ts';
import { timed, type Told } from './run/told.ts';

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly onEvent: OnEvent;
}

/** Compresses the recipe's model into a new folder `out` and measures what that cost. */
export async function compress(recipe: Recipe, out: string, options: RunOptions): Promise<Report> {
  if (!isFree(out)) throw new TamisError('run.exists', { path: resolve(out) });
  const log = new EventLog(options.onEvent);
  const told: Told = { signal: options.signal, emit: log.emit };
  const resolved = await resolveRecipe(recipe, await openModel(recipe.model), (code, params) =>
    log.emit({ type: 'warning', code, params }),
  );
  const inputs = await prepare(resolved, told);
  await using _devices = inputs.devices;
  using directory = await RunDirectory.create(out, resolved);
  return await logFailure(directory, told, () => {
    log.openIn(directory);
    return runStages(directory, inputs, told);
  });
}

export interface ResumeOptions extends RunOptions {
  /** Takes the place of the recipe's. */
  readonly memory?: number | undefined;
}

/** Goes on with a run that was stopped, killed or lost its power, from its last finished block, to the same bits. */
export async function resume(path: string, options: ResumeOptions): Promise<Report> {
  using directory = RunDirectory.open(path);
  const told: Told = { signal: options.signal, emit: new EventLog(options.onEvent, directory).emit };
  return await logFailure(directory, told, async () => {
    const recipe = await directory.recipe();
    const memory = options.memory ?? recipe.memory;
    const givenUp = (await directory.readStep('given-up', givenUpSchema)) ?? nothingGivenUp;
    const inputs = await prepare({ ...recipe, memory }, told, givenUp);
    await using _devices = inputs.devices;
    return await runStages(directory, inputs, told);
  });
}

/** recipe -> stages -> report. Each stage finds what an earlier start of the run has finished and does the rest. */
async function runStages(directory: RunDirectory, inputs: Inputs, told: Told): Promise<Report> {
  using _watch = watchGpu(inputs.devices, told.emit);
  const started = performance.now();
  const kept = await directory.readStep('fingerprint', fingerprintSchema);
  const fingerprint = await timed(told.emit, 'fingerprint', () => takeFingerprint(inputs, kept, told));
  if (kept) assertSame(kept, fingerprint, directory.path);
  else await directory.writeStep('fingerprint', fingerprint);
  told.emit({ type: 'started', fingerprint: fingerprintId(fingerprint), resumed: kept !== null });
  told.emit(inputs.devices.event);
  told.emit({ type: 'layers', layers: layersOf(inputs.model, inputs.blocks) });

  const begun: Run = { directory, ...inputs, fingerprint, ...told };
  const dense = await evaluation(begun, 'evaluate-dense', () => evaluateDense(begun));
  assertInReach(begun, dense.value);
  const statistics = await estimateLayers(begun);
  const { run, target } = await decideTarget(begun, statistics?.value ?? null, dense.value);
  const choice = await chooseSchedule(run, statistics?.value ?? null);
  const schedule = await scheduleLayers(run, statistics?.value ?? null, choice?.value ?? null);
  const blocks = await compressBlocks(run, schedule.value);
  const compressed = await evaluation(run, 'evaluate-compressed', async () =>
    evaluateCompressed(run, await openModel(directory.path)),
  );
  const report = await timed(told.emit, 'report', async () => {
    const layers = blocks.flatMap(({ value }) => value);
    const packed = run.recipe.fit?.kind === 'size' ? await packedSize(run, layers) : null;
    const built = await buildReport(run, { dense, statistics, target, choice, schedule, blocks, compressed, packed });
    await writeReport(directory, built);
    return built;
  });
  told.emit({ type: 'finished', seconds: (performance.now() - started) / 1000 });
  return report;
}

async function evaluation(
  run: Run,
  name: 'evaluate-dense' | 'evaluate-compressed',
  evaluate: () => Promise<DatasetResult[]>,
): Promise<Step<DatasetResult[]>> {
  if (run.datasets.length === 0) return nothingToDo([]);
  return await stage(run, name, z.array(datasetResultSchema), evaluate);
}
