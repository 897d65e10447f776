import { needsOf, schedulers, type Need } from '../../contract/recipe/schedulers.ts';
import { allocateSchedule } from './allocate.ts';
import { alphaSchedule, atpSchedule, owlSchedule, uniformSchedule } from './blocks.ts';
import type { LayerStatistics } from './estimates.ts';
import { fileSchedule } from './file.ts';
import { kmeansSchedule } from './kmeans.ts';
import type { DefaultScheduler, ExplicitScheduler, LayerSize, ResolvedScheduler, Schedule } from './types.ts';

/** What the schedulers go by; each needs its own members, or none. */
export interface Measured extends Readonly<Partial<Record<Need, unknown>>> {
  /** By layer name. */
  readonly statistics?: Readonly<Record<string, LayerStatistics>>;
  /** By layer name, nats a token. */
  readonly sensitivities?: Readonly<Record<string, number>>;
  /** By layer name: the error at 90 %, as a multiple of that at 70 %. */
  readonly growths?: Readonly<Record<string, number>>;
  /** D of each block. */
  readonly outliers?: readonly number[];
  /** By layer name. */
  readonly alphas?: Readonly<Record<string, number>>;
  /** The parsed JSON of the scheduler's file. */
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
  const { fields } = schedulers.kmeans;
  const { estimate, groups, mapping } = scheduler.estimate === 'measured' ? measuredDefaults : familyDefaults[family];
  return {
    kind: 'kmeans',
    estimate: scheduler.estimate ?? estimate,
    groups: scheduler.groups ?? groups,
    mapping: scheduler.mapping ?? mapping,
    power: scheduler.power ?? fields.power.unset,
    range: scheduler.range ?? fields.range.unset,
    min: scheduler.min,
    max: scheduler.max,
  };
}

type Kind = ResolvedScheduler['kind'];
/** What is measured, with what schedulers of the kind go by. */
type Known<K extends Kind> = Measured & Required<Pick<Measured, (typeof schedulers)[K]['needs'][number]>>;
type Make<K extends Kind> = (
  layers: readonly LayerSize[],
  target: number,
  scheduler: Extract<ResolvedScheduler, { kind: K }>,
  measured: Known<K>,
) => Schedule;

/** How each scheduler spreads a target over the layers. */
const makers: { readonly [K in Kind]: Make<K> } = {
  uniform: (layers, target) => uniformSchedule(layers, target),
  allocate: (layers, target, scheduler, { statistics, sensitivities, growths }) =>
    allocateSchedule(layers, statistics, sensitivities, growths, scheduler, target),
  kmeans: (layers, target, scheduler, { statistics, sensitivities }) =>
    kmeansSchedule(layers, statistics, scheduler, target, sensitivities),
  owl: (layers, target, { lambda }, { outliers }) => owlSchedule(layers, outliers, lambda, target),
  alpha: (layers, target, { epsilon }, { alphas }) => alphaSchedule(layers, alphas, epsilon, target),
  atp: (layers, target, { beta }) => atpSchedule(layers, beta ?? null, target),
  file: (layers, _target, { path }, { file }) => fileSchedule(layers, file, path).schedule,
};

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
  const missing = needsOf(scheduler).find((need) => measured[need] === undefined);
  if (missing !== undefined) throw new RangeError(`the scheduler needs ${missing}`);
  // Each has just been seen to have what it goes by.
  const make = makers[scheduler.kind] as Make<Kind>;
  return make(layers, target, scheduler, measured as Known<Kind>);
}
