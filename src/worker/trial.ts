import { join } from 'node:path';

import type { Progress, Trial } from '../contract/bridge.ts';
import type { RunEvent, Stage } from '../contract/events.ts';
import type { Plan, PlannedStage, StagePlan } from '../contract/plan.ts';
import type { Recipe } from '../contract/recipe.ts';
import type { Report } from '../contract/report.ts';
import { compress } from './engine.ts';
import { plan } from './plan/plan.ts';
import { needsSensitivities, SENSITIVITY_SPARSITY } from './schedule/needs.ts';

/** Blocks and evaluation windows of a trial: enough to time a recipe by, few enough to wait for. */
const BLOCKS = 2;
const WINDOWS = 8;

/**
 * Compresses the recipe's first blocks in `folder` and scales each stage of its plan by measured / planned. Sensitivities are not
 * measured: each of them passes through the whole model, which would take longer than all else. What is measured for the schedule
 * then counts as planned, its time in proportion to the compression, which is the same kind of work.
 */
export async function tryRecipe(
  recipe: Recipe,
  folder: string,
  options: { signal: AbortSignal; onProgress: (progress: Progress) => void },
): Promise<Trial> {
  const { signal, onProgress } = options;
  const whole = await plan(recipe, { signal });
  const small: Recipe = {
    ...recipe,
    // What two blocks come to says nothing of the whole model.
    fit: null,
    sparsity: recipe.fit ? (recipe.sparsity ?? SENSITIVITY_SPARSITY) : recipe.sparsity,
    scheduler: needsSensitivities({ ...recipe, fit: null }) ? { kind: 'uniform' } : recipe.scheduler,
    blocks: Math.min(BLOCKS, whole.model.blocksCompressed),
    evaluation: { ...recipe.evaluation, windows: Math.min(WINDOWS, recipe.evaluation.windows ?? WINDOWS) },
  };
  const planned = await plan(small, { signal });
  const started = performance.now();
  /** Stages of which nothing was found kept from an earlier run. */
  const worked = new Set<Stage>();
  const report = await compress(small, join(folder, 'run'), {
    signal,
    onEvent: (event) => {
      if (event.type === 'progress') worked.add(event.stage);
      tell(event, planned, started, onProgress);
    },
  });
  const tried = new Set(planned.stages.map(({ stage }) => stage));
  const untried = whole.stages.filter(({ stage }) => !tried.has(stage));
  const seconds = whole.stages.map((each) => {
    const like = tried.has(each.stage) ? each.stage : 'compress';
    return each.seconds * (worked.has(like) ? ratio(like, planned, report) : 1);
  });
  return {
    blocks: small.blocks ?? BLOCKS,
    untried: untried.map(({ stage }) => stage),
    seconds: seconds.reduce((a, b) => a + b, 0),
    peakMemoryBytes: Math.max(report.peakMemoryBytes, ...untried.map(({ peakMemoryBytes }) => peakMemoryBytes)),
  };
}

/** Kinds of work that a report keeps apart and a plan counts as the stage `compress`. */
const compressing = ['forward', 'gram', 'factor', 'solve', 'propagate'];

/** Measured / planned seconds of a stage. */
function ratio(stage: PlannedStage, planned: Plan, { seconds }: Report): number {
  const expected = planned.stages.find((other) => other.stage === stage)?.seconds ?? 0;
  const kinds = stage === 'compress' ? compressing : [stage];
  const measured = kinds.reduce((sum, kind) => sum + (seconds[kind] ?? 0), 0);
  return expected > 0 && measured > 0 ? measured / expected : 1;
}

/** Progress over all stages, each weighed by its planned seconds. */
function tell(event: RunEvent, planned: Plan, started: number, onProgress: (progress: Progress) => void): void {
  if (event.type !== 'progress') return;
  const before = planned.stages.findIndex(({ stage }) => stage === event.stage);
  if (before < 0) return;
  const sum = (stages: readonly StagePlan[]): number => stages.reduce((total, { seconds }) => total + seconds, 0);
  const total = sum(planned.stages);
  const done =
    sum(planned.stages.slice(0, before)) + (planned.stages[before]?.seconds ?? 0) * (event.done / event.total);
  const elapsed = (performance.now() - started) / 1000;
  onProgress({ done, total, remainingSeconds: done > 0 ? (elapsed * (total - done)) / done : null });
}
