import { z } from 'zod';

import { choice, schemasOf, type Fields, type Schemas } from './field.ts';

export const estimateKinds = ['raw', 'relative', 'relative-by-type', 'measured'] as const;
export type EstimateKind = (typeof estimateKinds)[number];

const mappings = ['power', 'linear'] as const;
const fraction = z.number().min(0).max(1);

/**
 * What a scheduler goes by: `statistics` of the layers and `outliers` of the blocks come from a calibration pass over the dense
 * model, `sensitivities` and `growths` from one with branches, `alphas` from the weights alone; `file` is a file that the recipe names.
 */
export type Need = 'statistics' | 'outliers' | 'sensitivities' | 'growths' | 'alphas' | 'file';

interface Scheduler {
  readonly fields: Fields;
  readonly needs: readonly Need[];
  /** What it needs besides where a field has a value: `{ estimate: { measured: [...] } }`. */
  readonly needsWith?: Readonly<Record<string, Readonly<Record<string, readonly Need[]>>>>;
  /** Whether it leaves no room for a target. */
  readonly fixesTarget?: true;
}

/**
 * How the target sparsity is spread over the layers (docs/method.md, sections 6 and 7), in the order in which they are offered.
 * Fields left out take the defaults of the model's family when the run starts (`resolveScheduler`).
 */
export const schedulers = {
  /** Uniform, or `allocate` where it clearly does better in a trial on a subsample. */
  auto: { fields: {}, needs: ['statistics', 'sensitivities', 'growths'] },
  uniform: { fields: {}, needs: [] },
  /** The least sum of measured sensitivities that the target allows, no layer further from the target than `range`. */
  allocate: {
    fields: {
      range: {
        control: 'amount',
        schema: z.number().positive().max(1).default(0.2),
        unit: 'percent',
        unset: 0.2,
        label: 'field.allocate-range',
        hint: 'new.allocate-range-text',
        flag: '--range <r>',
        help: 'how far a layer may be from the target',
      },
    },
    needs: ['statistics', 'sensitivities', 'growths'],
  },
  kmeans: {
    fields: {
      /** Which estimate of a layer's pruning loss the layers are ordered by. */
      estimate: choice(estimateKinds, {
        schema: z.enum(estimateKinds).optional(),
        name: (value, t) => t(`new.estimate.${value}`),
        unset: 'new.by-family',
        label: 'field.estimate',
        flag: '--estimate <kind>',
        help: 'which estimate of the pruning loss',
        helpDefault: 'by family',
      }),
      /** Number of K-means groups; 0 = every layer is a group of its own. */
      groups: {
        control: 'amount',
        schema: z.int().min(0).max(64).optional(),
        unset: 'new.by-family',
        label: 'new.groups',
        hint: 'new.groups-text',
        flag: '--groups <k>',
        help: 'number of groups; 0 = each layer for itself',
        helpDefault: 'by family, 3 for OPT',
      },
      /** `power`: a group keeps a share proportional to estimate^power; `linear`: sparsity falls linearly with log10 estimate over `range`. */
      mapping: choice(mappings, {
        schema: z.enum(mappings).optional(),
        name: (value, t) => t(`new.mapping.${value}`),
        unset: 'new.by-family',
        label: 'new.mapping',
        flag: '--mapping <kind>',
        help: 'from estimate to sparsity',
        helpDefault: 'by family',
      }),
      power: {
        control: 'amount',
        schema: z.number().min(0).max(2).optional(),
        step: 0.05,
        unset: 0.2,
        only: { mapping: 'power' },
        label: 'new.power',
        flag: '--power <p>',
        help: 'a group keeps a share proportional to estimate^p',
      },
      range: {
        control: 'amount',
        schema: fraction.optional(),
        unit: 'percent',
        unset: 0.1,
        only: { mapping: 'linear' },
        label: 'new.range',
        flag: '--range <r>',
        help: 'from the least to the most pruned layer',
      },
      min: {
        control: 'amount',
        schema: fraction.default(0),
        unit: 'percent',
        label: 'new.min',
        flag: '--min-sparsity <share>',
        help: 'no layer is pruned less',
      },
      max: {
        control: 'amount',
        schema: fraction.default(0.95),
        unit: 'percent',
        label: 'new.max',
        flag: '--max-sparsity <share>',
        help: 'no layer is pruned more',
      },
    },
    needs: ['statistics'],
    needsWith: { estimate: { measured: ['sensitivities'] } },
  },
  owl: {
    fields: {
      lambda: {
        control: 'amount',
        schema: z.number().min(0).max(0.5).default(0.08),
        step: 0.01,
        label: 'new.lambda',
        flag: '--lambda <l>',
        help: 'half of the range of sparsities',
      },
      m: {
        control: 'amount',
        schema: z.number().positive().default(5),
        label: 'new.owl-m',
        flag: '--owl-m <m>',
        help: 'outliers are entries above m times the mean',
      },
    },
    needs: ['outliers'],
  },
  alpha: {
    fields: {
      epsilon: {
        control: 'amount',
        schema: fraction.default(0.3),
        step: 0.05,
        label: 'new.epsilon',
        flag: '--epsilon <e>',
        help: 'range of the factors',
      },
    },
    needs: ['alphas'],
  },
  atp: {
    fields: {
      beta: {
        control: 'amount',
        schema: z.number().optional(),
        step: 0.001,
        unset: 'new.beta-default',
        label: 'new.beta',
        flag: '--beta <b>',
        help: 'difference between blocks',
        helpDefault: 'half of its bound',
      },
    },
    needs: [],
  },
  /** A JSON file: an object from layer name to sparsity. */
  file: {
    fields: {
      path: {
        control: 'path',
        schema: z.string().min(1),
        label: 'new.sparsities',
        hint: 'new.sparsities-text',
        flag: '--sparsities <file>',
        help: 'a JSON object from layer name to sparsity',
      },
    },
    needs: ['file'],
    fixesTarget: true,
  },
} as const satisfies Readonly<Record<string, Scheduler>>;

export type SchedulerKind = keyof typeof schedulers;
export type SchedulerFields<Kind extends SchedulerKind> = (typeof schedulers)[Kind]['fields'];
export const schedulerKinds = Object.keys(schedulers) as readonly SchedulerKind[];

/** The schema of each scheduler: its kind, then its fields. */
type SchemaOf<Kind extends SchedulerKind> = Kind extends SchedulerKind
  ? z.ZodObject<
      { kind: z.ZodLiteral<Kind> } & {
        -readonly [Name in keyof SchedulerFields<Kind>]: Schemas<SchedulerFields<Kind>>[Name];
      },
      z.core.$strict
    >
  : never;
type AnySchema = SchemaOf<SchedulerKind>;

export const schedulerSchema = z.discriminatedUnion(
  'kind',
  schedulerKinds.map((kind) =>
    z.strictObject({ kind: z.literal(kind), ...schemasOf(schedulers[kind].fields) }),
  ) as unknown as [AnySchema, ...AnySchema[]],
);

/** A scheduler with settings that may be wrong yet. */
export type Settings = { readonly kind: SchedulerKind } & Readonly<Record<string, unknown>>;

/** What a scheduler with these settings goes by. */
export function needsOf(scheduler: Settings): readonly Need[] {
  const { needs, needsWith = {} }: Scheduler = schedulers[scheduler.kind];
  const further = Object.entries(needsWith).flatMap(([field, values]) => values[String(scheduler[field])] ?? []);
  return [...needs, ...further];
}

/** Whether a scheduler with these settings looks at calibration data. */
export function needsData(scheduler: Settings): boolean {
  return needsOf(scheduler).some((need) => need !== 'alphas' && need !== 'file');
}

/** The files that a scheduler names. */
export function pathsOf(scheduler: Settings): string[] {
  const fields: Fields = schedulers[scheduler.kind].fields;
  return Object.keys(fields).flatMap((name) => (fields[name]?.control === 'path' ? [String(scheduler[name])] : []));
}

/** Those that leave no room for a target. */
type Fixing = {
  [Kind in SchedulerKind]: (typeof schedulers)[Kind] extends { fixesTarget: true } ? Kind : never;
}[SchedulerKind];

/** Whether a scheduler leaves no room for a target. */
export function fixesTarget<S extends { readonly kind: SchedulerKind }>(
  scheduler: S,
): scheduler is Extract<S, { kind: Fixing }> {
  return (schedulers[scheduler.kind] as Scheduler).fixesTarget === true;
}
