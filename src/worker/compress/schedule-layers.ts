import { readFile } from 'node:fs/promises';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { readError } from '../../contract/file-errors.ts';
import { parseJson } from '../../contract/json.ts';
import { estimateKinds, type Recipe } from '../../contract/recipe.ts';
import { centroidSchema, type Candidate, type Choice, type LayerResult } from '../../contract/report.ts';
import { allLayers, weightShape } from '../families/family.ts';
import type { Model } from '../model/open.ts';
import { stage, type Run, type Step } from '../run/run.ts';
import { leavesTarget } from '../schedule/needs.ts';
import { resolveScheduler, schedule, type Measured } from '../schedule/schedule.ts';
import type { ExplicitScheduler, LayerSize } from '../schedule/types.ts';
import type { Statistics } from './estimate.ts';

type LayerShape = Pick<LayerResult, 'name' | 'block' | 'type' | 'rows' | 'cols'>;

export const scheduleSchema = z.strictObject({
  sparsities: z.record(z.string(), z.number()),
  groups: z.record(z.string(), z.int()),
  centroids: z.array(centroidSchema),
  estimate: z.enum(estimateKinds).nullable(),
  /** Estimates and sensitivities of the layers, where there were any, for the report. */
  estimates: z.record(z.string(), z.number()),
  sensitivities: z.record(z.string(), z.number()).default({}),
});
export type Schedule = z.infer<typeof scheduleSchema>;

/** Spreads the target over the layers as the recipe's scheduler says; `run.emit` hears of the result. */
export async function scheduleLayers(
  run: Run,
  statistics: Statistics | null,
  choice: Choice | null,
): Promise<Step<Schedule>> {
  const done = await stage(run, 'schedule', scheduleSchema, () => {
    const { scheduler } = run.recipe;
    const chosen = choice?.candidates[choice.chosen] ?? null;
    return scheduleOf(run, statistics, scheduler.kind === 'auto' ? candidateScheduler(chosen) : scheduler);
  });
  const { sparsities, groups, centroids, estimates, sensitivities } = done.value;
  run.emit({ type: 'schedule', sparsities, groups, centroids, estimates, sensitivities });
  return done;
}

/** The scheduler of a candidate that `auto` tried. */
export function candidateScheduler(candidate: Pick<Candidate, 'scheduler' | 'range'> | null): ExplicitScheduler {
  if (candidate === null) throw new Error('auto has not chosen');
  const { scheduler, range } = candidate;
  return scheduler === 'uniform' || range === null ? { kind: 'uniform' } : { kind: 'allocate', range };
}

/** What a scheduler makes of the run's target. */
export function scheduleOf(run: Run, statistics: Statistics | null, scheduler: ExplicitScheduler): Schedule {
  const { recipe, model, blocks } = run;
  const measured: Measured = statistics
    ? {
        statistics: statistics.layers,
        outliers: statistics.outliers,
        alphas: statistics.alphas,
        sensitivities: statistics.sensitivities,
      }
    : { file: run.sparsities };
  const { sparsities, groups, centroids, estimate } = schedule(
    resolveScheduler(scheduler, model.family.defaultScheduler),
    layerSizes(model, blocks),
    targetOf(recipe),
    measured,
  );
  const estimates = Object.fromEntries(
    Object.entries(statistics?.layers ?? {}).map(([name, { estimate: value }]) => [name, value]),
  );
  return {
    sparsities: { ...sparsities },
    groups: { ...groups },
    centroids: [...centroids],
    estimate,
    estimates,
    sensitivities: statistics?.sensitivities ?? {},
  };
}

/** The layers of the first so many blocks, in model order. */
export function layersOf(model: Model, blocks: number): LayerShape[] {
  return allLayers(model.family, blocks).map((layer) => {
    const { name, type, block } = layer;
    return { name, block, type, ...weightShape(layer, model.tensors) };
  });
}

/** The same, with their numbers of weights: what the schedulers weigh layers by. */
export function layerSizes(model: Model, blocks: number): LayerSize[] {
  return layersOf(model, blocks).map(({ rows, cols, ...layer }) => ({ ...layer, weights: rows * cols }));
}

/** n:m prunes n of every m; a scheduler's file has its own mean. */
function targetOf({ nm, sparsity }: Recipe): number {
  return nm ? nm.n / nm.m : (sparsity ?? 0);
}

/** The parsed JSON of the scheduler's file; null where it has none. */
export async function readSparsities({ scheduler }: Recipe): Promise<unknown> {
  if (scheduler.kind !== 'file') return null;
  try {
    return parseJson(scheduler.path, await readFile(scheduler.path, 'utf8'), z.unknown());
  } catch (error) {
    throw readError(error, scheduler.path);
  }
}

/** Refuses what can be seen to be wrong with a schedule before anything is measured; without a target there is nothing to see yet. */
export function assertSchedule(recipe: Recipe, model: Model, blocks: number, sparsities: unknown): void {
  const { scheduler } = recipe;
  if (leavesTarget(recipe)) return;
  const layers = layerSizes(model, blocks);
  const target = targetOf(recipe);
  if (scheduler.kind === 'kmeans') {
    const { groups = 0, min, max } = scheduler;
    if (groups > layers.length) throw new TamisError('schedule.groups', { groups, layers: layers.length });
    if (target < min || target > max) throw new TamisError('schedule.out-of-reach', { target, least: min, most: max });
  } else if (scheduler.kind === 'uniform' || scheduler.kind === 'atp' || scheduler.kind === 'file') {
    schedule(scheduler, layers, target, { file: sparsities });
  }
}

/** What the schedule says of one layer. */
export interface LayerPlan {
  readonly sparsity: number;
  readonly group: number | null;
  readonly estimate: number | null;
  readonly sensitivity: number | null;
}

export function planLayers(
  run: Run,
  { sparsities, groups, estimates, sensitivities }: Schedule,
  block: number,
): Map<string, LayerPlan> {
  return new Map(
    run.model.family.layers(block).map(({ name }) => {
      const sparsity = sparsities[name];
      if (sparsity === undefined) throw new Error(`no sparsity for ${name}`);
      const group = groups[name] ?? null;
      return [name, { sparsity, group, estimate: estimates[name] ?? null, sensitivity: sensitivities[name] ?? null }];
    }),
  );
}
