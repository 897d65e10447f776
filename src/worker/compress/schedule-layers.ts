import { z } from 'zod';

import { estimateKinds } from '../../contract/recipe/schedulers.ts';
import { targets } from '../../contract/recipe/targets.ts';
import { centroidSchema, type Candidate, type Choice } from '../../contract/report.ts';
import { targetsOf } from '../../contract/targets.ts';
import { layerSizes } from '../model/layers.ts';
import { stage, type Run, type Step } from '../run/run.ts';
import { targetOf } from '../schedule/check.ts';
import { resolveScheduler, schedule, type Measured } from '../schedule/schedule.ts';
import type { ExplicitScheduler } from '../schedule/types.ts';
import type { Statistics } from './estimate.ts';

export const scheduleSchema = z.strictObject({
  sparsities: z.record(z.string(), z.number()),
  groups: z.record(z.string(), z.int()),
  centroids: z.array(centroidSchema),
  estimate: z.enum(estimateKinds).nullable(),
  /** Estimates and sensitivities of the layers, where there were any, for the report. */
  estimates: z.record(z.string(), z.number()),
  sensitivities: z.record(z.string(), z.number()).default({}),
  /** What the layers are to give. */
  targets: z.enum(targets).default('layer'),
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
    const explicit = scheduler.kind === 'auto' ? candidateScheduler(chosen) : scheduler;
    return { ...scheduleOf(run, statistics, explicit), targets: targetsOf(run.recipe, choice) };
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
export function scheduleOf(
  run: Run,
  statistics: Statistics | null,
  scheduler: ExplicitScheduler,
): Omit<Schedule, 'targets'> {
  const { recipe, model, blocks } = run;
  const measured: Measured = statistics
    ? {
        statistics: statistics.layers,
        outliers: statistics.outliers,
        alphas: statistics.alphas,
        sensitivities: statistics.sensitivities,
        growths: statistics.growths,
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
