import type { Scheduler } from '../../contract/recipe.ts';
import type { DefaultScheduler, ResolvedScheduler } from './types.ts';

const familyDefaults = {
  paper: { estimate: 'raw', groups: 3, mapping: 'power' },
  'relative-by-type': { estimate: 'relative-by-type', groups: 0, mapping: 'linear' },
} as const;

/** Fills in what a recipe leaves to the model's family (method.md, section 6). */
export function resolveScheduler(scheduler: Scheduler, family: DefaultScheduler): ResolvedScheduler {
  if (scheduler.kind !== 'kmeans') return scheduler;
  const { estimate, groups, mapping } = familyDefaults[family];
  return {
    kind: 'kmeans',
    estimate: scheduler.estimate ?? estimate,
    groups: scheduler.groups ?? groups,
    mapping: scheduler.mapping ?? mapping,
    power: scheduler.power ?? 0.2,
    range: scheduler.range ?? 0.1,
    min: scheduler.min,
    max: scheduler.max,
  };
}
