import { allocateSchedule } from './allocate.ts';
import { alphaSchedule, atpSchedule, owlSchedule, uniformSchedule } from './blocks.ts';
import type { LayerStatistics } from './estimates.ts';
import { fileSchedule } from './file.ts';
import { kmeansSchedule } from './kmeans.ts';
import type { DefaultScheduler, ExplicitScheduler, LayerSize, ResolvedScheduler, Schedule } from './types.ts';

/** What the schedulers go by; each needs its own member, or none. */
export interface Measured {
  /** By layer name: for `kmeans` and `allocate`. */
  readonly statistics?: Readonly<Record<string, LayerStatistics>>;
  /** By layer name, nats a token: for `allocate`, and `kmeans` by measured estimates. */
  readonly sensitivities?: Readonly<Record<string, number>>;
  /** D of each block: for `owl`. */
  readonly outliers?: readonly number[];
  /** By layer name: for `alpha`. */
  readonly alphas?: Readonly<Record<string, number>>;
  /** The parsed JSON of the scheduler's file: for `file`. */
  readonly file?: unknown;
}

/** For what is measured of the model itself, whatever its family (docs/scheduling.md). */
const measuredDefaults = { estimate: 'measured', groups: 4, mapping: 'power' } as const;

const familyDefaults = {
  paper: { estimate: 'raw', groups: 3, mapping: 'power' },
  'relative-by-type': { estimate: 'relative-by-type', groups: 0, mapping: 'linear' },
} as const;

/** Fills in what a recipe leaves to the model's family (method.md, section 6). */
export function resolveScheduler(scheduler: ExplicitScheduler, family: DefaultScheduler): ResolvedScheduler {
  if (scheduler.kind !== 'kmeans') return scheduler;
  const { estimate, groups, mapping } = scheduler.estimate === 'measured' ? measuredDefaults : familyDefaults[family];
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

/**
 * Sparsities of all layers, whose mean over all weights is the target (of `file`: the mean that the file amounts to, whatever the
 * target).
 * @param layers in model order, blocks counted from 0
 */
export function schedule(
  scheduler: ResolvedScheduler,
  layers: readonly LayerSize[],
  target: number,
  measured: Measured,
): Schedule {
  switch (scheduler.kind) {
    case 'uniform':
      return uniformSchedule(layers, target);
    case 'kmeans':
      return kmeansSchedule(
        layers,
        present(measured.statistics, 'statistics'),
        scheduler,
        target,
        measured.sensitivities,
      );
    case 'allocate':
      return allocateSchedule(
        layers,
        present(measured.statistics, 'statistics'),
        present(measured.sensitivities, 'sensitivities'),
        scheduler,
        target,
      );
    case 'owl':
      return owlSchedule(layers, present(measured.outliers, 'outliers'), scheduler.lambda, target);
    case 'alpha':
      return alphaSchedule(layers, present(measured.alphas, 'alphas'), scheduler.epsilon, target);
    case 'atp':
      return atpSchedule(layers, scheduler.beta ?? null, target);
    case 'file':
      return fileSchedule(layers, measured.file, scheduler.path).schedule;
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RangeError(`the scheduler needs ${what}`);
  return value;
}
