import { z } from 'zod';

import { failureSchema } from './failure.ts';
import { measureIds, measureIdSchema } from './measures.ts';
import { measuredSchema } from './measured.ts';
import { methodKinds } from './recipe/methods.ts';
import { schedulerKinds } from './recipe/schedulers.ts';
import { bitWidths, devices } from './recipe/fields.ts';
import { nmSchema } from './recipe.ts';

/**
 * Where a run is, and every way it can have ended.
 * `killed`: its process was ended from outside. `out-of-memory`: the system or the process says that memory was the
 * reason. `lost`: the application itself ended while it ran.
 */
export const runStates = [
  'queued',
  'running',
  'paused',
  'finished',
  'failed',
  'cancelled',
  'killed',
  'out-of-memory',
  'lost',
] as const;
export const runStateSchema = z.enum(runStates);
export type RunState = z.infer<typeof runStateSchema>;

/** States from which a run can go on from its last finished block. */
export const resumable: readonly RunState[] = ['paused', 'failed', 'cancelled', 'killed', 'out-of-memory', 'lost'];

/** A run as the history lists it. What a run has not come to yet is null. */
export const runRowSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  notes: z.string(),
  tags: z.array(z.string()),
  state: runStateSchema,
  /** Name and folder of the model; `modelId` null where the library does not have it (any more). */
  modelName: z.string(),
  modelPath: z.string(),
  modelId: z.string().nullable(),
  /** The run's folder, which is the compressed model's. */
  path: z.string(),
  /** Runs queued together share this id. */
  sweep: z.string().nullable(),
  /** ISO 8601 times. */
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  method: z.enum(methodKinds),
  nm: nmSchema.nullable(),
  scheduler: z.enum(schedulerKinds),
  device: z.enum(devices),
  targetSparsity: z.number().nullable(),
  /** Bits of a kept weight, exceptions apart; null = not quantized. */
  bits: z.literal(bitWidths).nullable(),
  sparsity: z.number().nullable(),
  /** By dataset, in the order of the recipe; empty where nothing was measured. */
  measured: z.array(measuredSchema.omit({ tokens: true })),
  /** Seconds of all stages, summed over interruptions. */
  seconds: z.number().nullable(),
  /** Weight files, zeros in place. */
  bytes: z.int().nullable(),
  /** What the same weights would take packed: without zeros, quantized ones as codes with their scales (`packedSize`). */
  nonZeroBytes: z.int().nullable(),
  /** Why it did not finish. */
  failure: failureSchema.nullable(),
});
export type RunRow = z.infer<typeof runRowSchema>;

/** An attempt at a goal, as far as it has come. */
export const attemptRowSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  state: runStateSchema,
  /** Its target; null while it is left to the sensitivities. */
  sparsity: z.number().nullable(),
  bits: z.literal(bitWidths).nullable(),
  /** Bytes of the packed archive, or the perplexity; null until it is finished. */
  value: z.number().nullable(),
  /** Whether that is near enough to the goal. */
  fits: z.boolean(),
});
export type AttemptRow = z.infer<typeof attemptRowSchema>;

/** What runs are sorted by; by a measure, of what they came to on their first dataset. */
export const runColumns = [
  'name',
  'model',
  'state',
  'method',
  'scheduler',
  'targetSparsity',
  'sparsity',
  'bits',
  ...measureIds,
  'seconds',
  'nonZeroBytes',
  'createdAt',
] as const;
export type RunColumn = (typeof runColumns)[number];

/** At most so many rows cross to the page at once. */
export const PAGE_ROWS = 200;

export const runQuerySchema = z.strictObject({
  /** In name, notes, tags and model; empty = all. */
  search: z.string().max(200),
  /** Empty = all. */
  states: z.array(runStateSchema),
  model: z.string().nullable(),
  /** null = not quantized; empty = all. */
  bits: z.array(z.literal(bitWidths).nullable()),
  sort: z.strictObject({ column: z.enum(runColumns), descending: z.boolean() }),
  offset: z.int().min(0),
  limit: z.int().min(1).max(PAGE_ROWS),
});
export type RunQuery = z.infer<typeof runQuerySchema>;

/** The first page of all runs, the newest first; other queries are this one with something changed. */
export const newestRuns: RunQuery = {
  search: '',
  states: [],
  model: null,
  bits: [],
  sort: { column: 'createdAt', descending: true },
  offset: 0,
  limit: PAGE_ROWS,
};

export const runPageSchema = z.strictObject({ rows: z.array(runRowSchema).max(PAGE_ROWS), total: z.int() });
export type RunPage = z.infer<typeof runPageSchema>;

/** Which runs are drawn in the scatter, and by which measure. */
export const pointQuerySchema = runQuerySchema
  .pick({ search: true, states: true, model: true, bits: true })
  .extend({ measure: measureIdSchema });
export type PointQuery = z.infer<typeof pointQuerySchema>;

/** A finished run in the scatter of size against a measure; only points on one sample are drawn together. */
export const runPointSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  modelName: z.string(),
  ...measuredSchema.pick({ dataset: true, seqlen: true, windows: true }).shape,
  nonZeroBytes: z.int(),
  sparsity: z.number(),
  /** The compressed model's. */
  value: z.number(),
});
export type RunPoint = z.infer<typeof runPointSchema>;
