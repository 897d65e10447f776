import { z } from 'zod';

import { layerResultSchema, type LayerResult } from '../../contract/report.ts';
import { methods } from '../../contract/recipe/methods.ts';
import { Activations } from '../machine/activations.ts';
import { Clock } from '../machine/clock.ts';
import { Progress } from '../run/progress.ts';
import { step, type Run, type Step } from '../run/run.ts';
import { timed } from '../run/told.ts';
import { throughEmbeddings } from '../runtime/passes.ts';
import { activationsFile, compressBlock } from './block.ts';
import { activationShape, calibrationOf, passOf, passOperations, type Calibration } from './calibration.ts';
import { planLayers, type Schedule } from './schedule-layers.ts';
import { copyShard, finishModel } from './shards.ts';

export type BlockStep = Step<LayerResult[]>;

/** Compresses the model block after block into the run's directory, and completes it to a folder that clients load. */
export async function compressBlocks(run: Run, schedule: Schedule): Promise<BlockStep[]> {
  const steps: BlockStep[] = [];
  await timed(run.emit, 'compress', {}, async () => {
    const work = blockWork(run);
    const progress = new Progress('compress', work * run.blocks, run.emit);
    for (let block = 0; block < run.blocks; block++) {
      progress.block = block;
      const start = performance.now();
      steps.push(await finishBlock(run, schedule, block, progress));
      run.directory.remove('state', activationsFile(block));
      progress.reach(work * (block + 1));
      run.emit({ type: 'block', block, blocks: run.blocks, seconds: (performance.now() - start) / 1000 });
    }
    steps.push(
      await step(run, 'model', z.array(layerResultSchema), (seconds) =>
        new Clock(seconds).time('write', () => completeModel(run)),
      ),
    );
  });
  return steps;
}

/** Work of one block, in the unit of a calibration's progress; 1 where it passes no sequences. */
export function blockWork(run: Run): number {
  const { forward, gram, factor, solve } = passOperations(run);
  return methods[run.recipe.method].calibrates ? 2 * forward + gram + factor + solve : 1;
}

/** One block, unless it is finished; its record in `state/` is what makes it so. */
async function finishBlock(run: Run, schedule: Schedule, block: number, progress: Progress): Promise<BlockStep> {
  const name = `block-${String(block).padStart(4, '0')}`;
  return await step(run, name, z.array(layerResultSchema), async (seconds) => {
    progress.rewind(block * blockWork(run));
    const clock = new Clock(seconds);
    const calibration = methods[run.recipe.method].calibrates ? calibrationOf(run, clock, progress) : null;
    if (calibration && block === 0) await embedInputs(run, calibration);
    return await compressBlock({
      run,
      block,
      calibration,
      clock,
      plans: planLayers(run, schedule, block),
    });
  });
}

/** The inputs of block 0. */
export async function embedInputs(run: Run, calibration: Calibration): Promise<void> {
  const activations = Activations.create(run.directory.file('state', activationsFile(0)), activationShape(calibration));
  try {
    await throughEmbeddings(run.model, calibration.tokens, activations, passOf(calibration, 'forward'));
  } finally {
    await activations.close();
  }
}

/** The shard of what is outside of the blocks, the blocks that were not to be compressed, and the other files. */
async function completeModel({ model, directory, blocks }: Run): Promise<[]> {
  const left = Array.from({ length: model.family.blocks - blocks }, (_, index) => blocks + 1 + index);
  for (const index of [0, ...left]) await copyShard(model, directory, index);
  await finishModel(model, directory);
  return [];
}
