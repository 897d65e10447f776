import { z } from 'zod';

import { layerResultSchema, type LayerResult } from '../../contract/report.ts';
import { methods } from '../../contract/recipe/methods.ts';
import type { Targets } from '../../contract/recipe/targets.ts';
import { sum } from '../model/costs.ts';
import { shapeOf } from '../model/shape.ts';
import { Progress } from '../run/progress.ts';
import { step, type Run, type Step } from '../run/run.ts';
import { timed } from '../run/told.ts';
import { compressBlock, embedInput, removeInputs } from './block.ts';
import { passOperations, solvingOperations } from './calibration.ts';
import type { Schedule } from './schedule-layers.ts';
import { copyShard, finishModel } from './shards.ts';

export type BlockStep = Step<LayerResult[]>;

/** Compresses the model block after block into the run's directory, and completes it to a folder that clients load. */
export async function compressBlocks(run: Run, schedule: Schedule): Promise<BlockStep[]> {
  const steps: BlockStep[] = [];
  await timed(run.emit, 'compress', async () => {
    const work = blockWork(run, schedule.targets);
    const progress = new Progress('compress', work * run.blocks, run.emit);
    for (let block = 0; block < run.blocks; block++) {
      progress.block = block;
      const start = performance.now();
      steps.push(await finishBlock(run, schedule, block, progress));
      removeInputs(run, block);
      progress.reach(work * (block + 1));
      run.emit({ type: 'block', block, blocks: run.blocks, seconds: (performance.now() - start) / 1000 });
    }
    steps.push(
      await step(run, 'model', z.array(layerResultSchema), (clock) => clock.time('write', () => completeModel(run))),
    );
  });
  return steps;
}

/** The work of one block in operations; 1 where the method passes no sequences. */
export function blockWork(run: Run, targets: Targets): number {
  if (!methods[run.recipe.method].calibrates) return 1;
  const { forward, upToTaps, gram, factor } = passOperations(run);
  const solving = factor + sum(shapeOf(run.model).layers.map((layer) => solvingOperations(run.recipe, layer)));
  // Dense ones: the dense model once through the block, the compressed one up to each tap and then through it, and a whole product
  // beside each triangle.
  return targets === 'dense' ? 2 * forward + upToTaps + 3 * gram + solving : 2 * forward + gram + solving;
}

/** Compresses one block, unless it is finished; its record in `state/` is what makes it so. */
async function finishBlock(run: Run, schedule: Schedule, block: number, progress: Progress): Promise<BlockStep> {
  const name = `block-${String(block).padStart(4, '0')}`;
  return await step(run, name, z.array(layerResultSchema), async (clock) => {
    progress.rewind(block * blockWork(run, schedule.targets));
    const work = { ...run, clock, progress };
    if (block === 0) await embedInput(work);
    return await compressBlock(work, block, schedule);
  });
}

/** The shard of what is outside of the blocks, the blocks that were not to be compressed, and the other files. */
async function completeModel({ model, directory, blocks }: Run): Promise<[]> {
  const left = Array.from({ length: model.family.blocks - blocks }, (_, index) => blocks + 1 + index);
  for (const index of [0, ...left]) await copyShard(model, directory, index);
  await finishModel(model, directory);
  return [];
}
