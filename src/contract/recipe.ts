import { z } from 'zod';

import { TamisError } from './errors.ts';
import { schemasOf } from './recipe/field.ts';
import {
  calibrationFields,
  evaluationFields,
  machineFields,
  pruningFields,
  quantizationFields,
} from './recipe/fields.ts';
import { methods } from './recipe/methods.ts';
import { fixesTarget, schedulerSchema } from './recipe/schedulers.ts';

export const nmSchema = z
  .strictObject({ n: z.int().min(1), m: z.int().min(2) })
  .refine(({ n, m }) => n < m, { message: 'n of m pruned needs n < m' });
export type NofM = z.infer<typeof nmSchema>;

export const quantizationSchema = z.strictObject(schemasOf(quantizationFields));

/** What a run is to come to: the engine and those who start further attempts find the sparsity (docs/scheduling.md). */
export const goalSchema = z.discriminatedUnion('kind', [
  /** The packed archive has at most `bytes` bytes, and is within 1 % of them. */
  z.strictObject({ kind: z.literal('size'), bytes: z.int().positive() }),
  /** On the first dataset of the evaluation, within 1 %. */
  z.strictObject({ kind: z.literal('perplexity'), perplexity: z.number().min(1) }),
]);
export type Goal = z.infer<typeof goalSchema>;

const { method, ...pruning } = schemasOf(pruningFields);
const { seed, ...machine } = schemasOf(machineFields);

/** In this order a recipe is hashed (`recipeHash`): what is new goes behind what was there. */
const settings = {
  version: z.literal(1).default(1),
  /** Folder of the checkpoint. */
  model: z.string().min(1),
  method,
  /** null = the target is the recipe's own. With a target too, the run is one attempt of several. */
  fit: goalSchema.nullable().default(null),
  /** n of every m weights in a row pruned; null = unstructured. */
  nm: nmSchema.nullable().default(null),
  /** null = the weights that are kept stay in the checkpoint's dtype. */
  quantization: quantizationSchema.nullable().default(null),
  ...pruning,
  calibration: z.strictObject(schemasOf(calibrationFields)).prefault({}),
  evaluation: z.strictObject(schemasOf(evaluationFields)).prefault({}),
  seed,
  ...machine,
};
const sparsity = z.number().min(0).lt(1).nullable();

/** A recipe as people write it: what is left out takes its default. */
export const recipeInputSchema = z.strictObject({
  ...settings,
  sparsity: sparsity.optional(),
  scheduler: schedulerSchema.optional(),
});
export type RecipeInput = z.input<typeof recipeInputSchema>;

/** The full settings of a run: with the same model and data they reproduce it to the bit on one machine. */
export const recipeSchema = z.strictObject({
  ...settings,
  /** Wanted mean sparsity over all pruned layers; null where the pattern or the scheduler's file fixes it, or `fit` is to. */
  sparsity,
  scheduler: schedulerSchema,
});
export type Recipe = z.infer<typeof recipeSchema>;
export type Scheduler = Recipe['scheduler'];
export type Quantization = NonNullable<Recipe['quantization']>;
export type Bits = Quantization['bits'];
export type Corpus = NonNullable<Recipe['calibration']['corpus']>;
export type Dataset = Recipe['evaluation']['datasets'][number];
export type Device = Recipe['device'];

/** What spreads the target where the recipe does not say. */
export function defaultScheduler(nm: unknown, sparsity: unknown): 'auto' | 'uniform' {
  return (nm ?? null) !== null || sparsity === 0 ? 'uniform' : 'auto';
}

/** Checks a recipe and fills in its defaults: 70 %, uniform or by what clearly does better in a trial. A pattern or a file of sparsities leaves no room for a target, and 0 % nothing to schedule. */
export function parseRecipe(value: unknown): Recipe {
  const parsed = recipeInputSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    throw new TamisError('recipe.invalid', { field: field === '' ? 'the top' : field, reason: issue?.message ?? '' });
  }
  const { nm, sparsity: target, scheduler = { kind: defaultScheduler(nm, target) }, ...rest } = parsed.data;
  const hasTarget = target !== undefined && target !== null;
  if (nm && hasTarget) throw new TamisError('recipe.target-with-nm');
  if (nm && scheduler.kind !== 'uniform')
    throw new TamisError('recipe.scheduler-with-nm', { scheduler: scheduler.kind });
  if (fixesTarget(scheduler) && hasTarget) throw new TamisError('recipe.target-with-file');
  if (rest.layerTargets === 'dense' && !methods[rest.method].calibrates)
    throw new TamisError('recipe.dense-without-data', { method: methods[rest.method].name });
  const fixed = nm !== null || fixesTarget(scheduler);
  const { fit, evaluation } = rest;
  if (fit && fixed) throw new TamisError(nm ? 'recipe.fit-with-nm' : 'recipe.fit-with-file');
  if (fit?.kind === 'perplexity' && evaluation.datasets.length === 0)
    throw new TamisError('recipe.fit-without-evaluation');
  return { ...rest, nm, scheduler, sparsity: fixed ? null : (target ?? (fit ? null : 0.7)) };
}
