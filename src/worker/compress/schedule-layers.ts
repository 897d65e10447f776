import { readFile } from 'node:fs/promises';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { estimateKinds, type Recipe } from '../../contract/recipe.ts';
import { centroidSchema } from '../../contract/report.ts';
import type { Model } from '../model/open.ts';
import { parseJson } from '../run/files.ts';
import { stage, type Run, type Step } from '../run/run.ts';
import { resolveScheduler, schedule, type Measured } from '../schedule/schedule.ts';
import type { LayerSize } from '../schedule/types.ts';
import type { Statistics } from './estimate.ts';

export const scheduleSchema = z.strictObject({
  sparsities: z.record(z.string(), z.number()),
  groups: z.record(z.string(), z.int()),
  centroids: z.array(centroidSchema),
  estimate: z.enum(estimateKinds).nullable(),
  /** Estimates of the layers, where there were any, for the report. */
  estimates: z.record(z.string(), z.number()),
});
export type Schedule = z.infer<typeof scheduleSchema>;

/** Spreads the target over the layers as the recipe's scheduler says; `run.emit` hears of the result. */
export async function scheduleLayers(run: Run, statistics: Statistics | null): Promise<Step<Schedule>> {
  const { recipe, model } = run;
  const done = await stage(run, 'schedule', scheduleSchema, async () => {
    const measured = await measuredFor(recipe, statistics);
    const { sparsities, groups, centroids, estimate } = schedule(
      resolveScheduler(recipe.scheduler, model.family.defaultScheduler),
      layerSizes(model, run.blocks),
      targetOf(recipe),
      measured,
    );
    const estimates = Object.fromEntries(Object.entries(statistics?.layers ?? {}).map(([name, { estimate: value }]) => [name, value]));
    return { sparsities: { ...sparsities }, groups: { ...groups }, centroids: [...centroids], estimate, estimates };
  });
  run.emit({ type: 'schedule', sparsities: done.value.sparsities, groups: done.value.groups });
  return done;
}

/** The layers of the first so many blocks, in model order. */
export function layerSizes(model: Model, blocks: number): LayerSize[] {
  return Array.from({ length: blocks }, (_, block) =>
    model.family.layers(block).map(({ name, type }) => {
      const shape = model.tensors.get(`${name}.weight`)?.shape ?? [];
      return { name, block, type, weights: shape.reduce((a, b) => a * b, 1) };
    }),
  ).flat();
}

/** n:m prunes n of every m; a scheduler's file has its own mean. */
function targetOf({ nm, sparsity }: Recipe): number {
  return nm ? nm.n / nm.m : (sparsity ?? 0);
}

async function measuredFor({ scheduler }: Recipe, statistics: Statistics | null): Promise<Measured> {
  if (scheduler.kind === 'file') return { file: await readSparsities(scheduler.path) };
  if (statistics === null) return {};
  return { statistics: statistics.layers, outliers: statistics.outliers, alphas: statistics.alphas };
}

async function readSparsities(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new TamisError('file.not-readable', { path, reason: (error as Error).message });
  }
  return parseJson(path, text, z.unknown());
}

/** What the schedule says of one layer. */
export interface LayerPlan {
  readonly sparsity: number;
  readonly group: number | null;
  readonly estimate: number | null;
}

export function planLayers(run: Run, { sparsities, groups, estimates }: Schedule, block: number): Map<string, LayerPlan> {
  return new Map(
    run.model.family.layers(block).map(({ name }) => {
      const sparsity = sparsities[name];
      if (sparsity === undefined) throw new Error(`no sparsity for ${name}`);
      return [name, { sparsity, group: groups[name] ?? null, estimate: estimates[name] ?? null }];
    }),
  );
}
