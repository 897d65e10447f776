import { z } from 'zod';

import { failureSchema } from './failure.ts';
import { gpuSchema } from './gpu.ts';
import { methodKinds } from './recipe/methods.ts';

/** The stages of a run that take time or memory worth planning, in their order. */
export const plannedStages = [
  'calibration',
  'fingerprint',
  'evaluate-dense',
  'estimate',
  'choose',
  'compress',
  'evaluate-compressed',
] as const;
export type PlannedStage = (typeof plannedStages)[number];

/** What floating-point operations are for; a multiply-add counts two. */
export const operationKinds = [
  'forward',
  'head',
  'gram',
  'factor',
  'statistics',
  'solve',
  'iterate',
  'spectrum',
] as const;
export type OperationKind = (typeof operationKinds)[number];

/** What holds memory. */
export const holders = [
  'process',
  'text',
  'tokens',
  'block-weights',
  'block-run',
  'grams',
  'factors',
  'layer',
  'staged',
  'vocabulary',
  'logits',
  'garbage',
] as const;
export type Holder = (typeof holders)[number];

const count = z.number().nonnegative();

/** What a GPU does for a run. */
export const gpuPlanSchema = gpuSchema.extend({
  /** At the highest moment, of its own memory. */
  neededBytes: count,
  /** Types of layers whose matrices it has no room for, or whose pattern it does not know. */
  layersOnCpu: z.array(z.string()),
  /** Floating-point operations a second of a matrix product; bytes a second there and back. */
  gemmRate: z.number().positive(),
  transferRate: z.number().positive(),
});
export type GpuPlan = z.infer<typeof gpuPlanSchema>;

export const stagePlanSchema = z.strictObject({
  stage: z.enum(plannedStages),
  /** Floating-point operations by kind. */
  operations: z.partialRecord(z.enum(operationKinds), count),
  seconds: count,
  /** Bytes at the stage's highest moment, by what holds them. */
  memory: z.partialRecord(z.enum(holders), count),
  peakMemoryBytes: count,
});
export type StagePlan = z.infer<typeof stagePlanSchema>;

/** What a recipe will need; of one with a goal, what each attempt will, but for `search`. */
export const planSchema = z.strictObject({
  model: z.strictObject({
    folder: z.string(),
    family: z.string(),
    dtype: z.string(),
    parameters: z.int(),
    blocks: z.int(),
    blocksCompressed: z.int(),
    hidden: z.int(),
    vocab: z.int(),
  }),
  method: z.enum(methodKinds),
  device: z.string(),
  threads: z.int(),
  /** null where the CPU does all but the forward passes. */
  gpu: gpuPlanSchema.nullable(),
  calibration: z.strictObject({ sequences: z.int(), seqlen: z.int() }).nullable(),
  /** `estimated`: from the size of the texts; token files are counted. */
  evaluation: z.array(
    z.strictObject({ dataset: z.string(), seqlen: z.int(), windows: z.int(), estimated: z.boolean() }),
  ),
  stages: z.array(stagePlanSchema),
  operations: count,
  /** The sum over all stages: a run finds what an earlier one measured of the same model and data kept, and takes less. */
  seconds: count,
  /** What the search for a goal takes if it makes as many attempts as it may; null without a goal. */
  search: z
    .strictObject({
      attempts: z.int(),
      /** Those after the first find the dense perplexity and the estimates measured. */
      seconds: count,
      /** The folders of all of them stay. */
      diskBytes: count,
    })
    .nullable(),
  memory: z.strictObject({
    peakBytes: count,
    stage: z.enum(plannedStages),
    largest: z.enum(holders),
    largestBytes: count,
    /** What the run may hold: the recipe's `memory`, or 60 % of what is free. */
    budgetBytes: count,
    /** What this process could still get when the plan was made. */
    freeBytes: count,
  }),
  disk: z.strictObject({
    /** The folder that comes out. */
    outputBytes: count,
    /** Activations for all sequences, and blocks and layers that are tried, while a stage needs them; removed afterwards. */
    activationBytes: count,
    /** The packed archive that is written to be measured where its size is the goal, and removed; 0 elsewhere. */
    archiveBytes: count,
    /** At the highest moment: what is needed before anything comes out does not add to it. */
    totalBytes: count,
    /** On the file system of `--out`; null where none was given. */
    freeBytes: count.nullable(),
  }),
  size: z.strictObject({
    /** Dense weight files, zeros in place: as large as before. */
    denseBytes: count,
    /** What the same weights would take packed: compressed layers as a bit mask, their non-zero values at their bits, and scales. */
    nonZeroBytes: count,
  }),
  /** Why the run would not start: its memory is more than the budget. */
  refusal: failureSchema.nullable(),
  warnings: z.array(
    z.strictObject({ code: z.string(), params: z.record(z.string(), z.union([z.string(), z.number()])) }),
  ),
});
export type Plan = z.infer<typeof planSchema>;
