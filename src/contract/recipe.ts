import { z } from 'zod';

import { TamisError } from './errors.ts';
import { methodKinds } from './recipe/methods.ts';

const fraction = z.number().min(0).max(1);

export const estimateKinds = ['raw', 'relative', 'relative-by-type', 'measured'] as const;
export const devices = ['auto', 'cpu', 'cuda', 'webgpu', 'dml'] as const;

/**
 * How the target sparsity is spread over the layers (docs/method.md, sections 6 and 7).
 * Fields left out take the defaults of the model's family when the run starts (`resolveScheduler`).
 */
export const schedulerSchema = z.discriminatedUnion('kind', [
  /** Uniform, or `allocate` where it clearly does better in a trial on a subsample. */
  z.strictObject({ kind: z.literal('auto') }),
  z.strictObject({ kind: z.literal('uniform') }),
  /** The least sum of measured sensitivities that the target allows, no layer further from the target than `range`. */
  z.strictObject({ kind: z.literal('allocate'), range: z.number().positive().max(1).default(0.1) }),
  z.strictObject({
    kind: z.literal('kmeans'),
    /** Which estimate of a layer's pruning loss the layers are ordered by. */
    estimate: z.enum(estimateKinds).optional(),
    /** Number of K-means groups; 0 = every layer is a group of its own. */
    groups: z.int().min(0).max(64).optional(),
    /** `power`: a group keeps a share proportional to estimate^power; `linear`: sparsity falls linearly with log10 estimate over `range`. */
    mapping: z.enum(['power', 'linear']).optional(),
    power: z.number().min(0).max(2).optional(),
    range: z.number().min(0).max(1).optional(),
    min: fraction.default(0),
    max: fraction.default(0.95),
  }),
  z.strictObject({
    kind: z.literal('owl'),
    lambda: z.number().min(0).max(0.5).default(0.08),
    m: z.number().positive().default(5),
  }),
  z.strictObject({ kind: z.literal('alpha'), epsilon: fraction.default(0.3) }),
  z.strictObject({ kind: z.literal('atp'), beta: z.number().optional() }),
  /** A JSON file: an object from layer name to sparsity. */
  z.strictObject({ kind: z.literal('file'), path: z.string().min(1) }),
]);
export type Scheduler = z.infer<typeof schedulerSchema>;

/** Text files (.txt, .jsonl, .parquet), folders of them, or a .safetensors file with an int64 tensor `tokens`. */
export const corpusSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('texts'), paths: z.array(z.string().min(1)).min(1) }),
  z.strictObject({ kind: z.literal('tokens'), path: z.string().min(1) }),
]);
export type Corpus = z.infer<typeof corpusSchema>;

export const datasetSchema = z.strictObject({ name: z.string().min(1), corpus: corpusSchema });
export type Dataset = z.infer<typeof datasetSchema>;

export const nmSchema = z
  .strictObject({ n: z.int().min(1), m: z.int().min(2) })
  .refine(({ n, m }) => n < m, { message: 'n of m pruned needs n < m' });
export type NofM = z.infer<typeof nmSchema>;

export const bitWidths = [2, 3, 4, 8] as const;
export const groupSizes = [32, 64, 128] as const;
export const ranges = ['minmax', 'mse'] as const;
export const bitsSchema = z.literal(bitWidths);

/** How the weights that are kept are quantized (docs/method.md, section 4). */
export const quantizationSchema = z.strictObject({
  bits: bitsSchema,
  /** Columns of a row that share a scale; null = the whole row, per channel. */
  groupSize: z.literal(groupSizes).nullable().default(128),
  /** No zero point is stored: it is 2^(bits - 1). */
  symmetric: z.boolean().default(false),
  /** Columns in the order of descending Hessian diagonal. */
  actOrder: z.boolean().default(false),
  /** Scales of all groups from the dense weights, before the sweep; with `actOrder` groups stay neighbours in a row. */
  staticGroups: z.boolean().default(false),
  /** `mse`: of 80 shrunk ranges the one with the least error, in place of the whole range. */
  range: z.enum(ranges).default('minmax'),
  /**
   * Layers treated otherwise: a pattern over layer names in which `*` stands for any characters, and their bits; null = not
   * quantized. Of several patterns that match, the last one counts. The embeddings and the head are never quantized.
   */
  exceptions: z.array(z.strictObject({ layers: z.string().min(1), bits: bitsSchema.nullable() })).default([]),
});
export type Quantization = z.infer<typeof quantizationSchema>;
export type Bits = Quantization['bits'];

/** What a run is to come to: the engine and those who start further attempts find the sparsity (docs/scheduling.md). */
export const fitSchema = z.discriminatedUnion('kind', [
  /** Of the packed archive: at most so many, and within 1 % of it. */
  z.strictObject({ kind: z.literal('size'), bytes: z.int().positive() }),
  /** On the first dataset of the evaluation, within 1 %. */
  z.strictObject({ kind: z.literal('perplexity'), perplexity: z.number().min(1) }),
]);
export type Fit = z.infer<typeof fitSchema>;

const settings = {
  version: z.literal(1).default(1),
  /** Folder of the checkpoint. */
  model: z.string().min(1),
  method: z.enum(methodKinds).default('sparsegpt'),
  /** null = the target is the recipe's own. With a target too, the run is one attempt of several. */
  fit: fitSchema.nullable().default(null),
  /** n of every m weights in a row pruned; null = unstructured. */
  nm: nmSchema.nullable().default(null),
  /** null = the weights that are kept stay in the checkpoint's dtype. */
  quantization: quantizationSchema.nullable().default(null),
  /** Damping: this share of the mean of the Hessian's diagonal is added to the diagonal. */
  percdamp: z.number().positive().max(1).default(0.01),
  calibration: z
    .strictObject({
      corpus: corpusSchema.nullable().default(null),
      sequences: z.int().min(1).max(1_000_000).default(128),
      /** Tokens a sequence; null = 2048, or the model's limit if smaller. */
      seqlen: z.int().min(2).nullable().default(null),
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      datasets: z.array(datasetSchema).default([]),
      /** At most so many windows of each dataset; null = all. */
      windows: z.int().min(1).nullable().default(null),
      seqlen: z.int().min(2).nullable().default(null),
    })
    .prefault({}),
  /** Of the calibration's windows and of K-means. */
  seed: z.int().min(0).max(0x7fffffff).default(0),
  /** Of forward passes. */
  device: z.enum(devices).default('auto'),
  /** Of Gram matrices, factors and sweeps: `auto`, `none`, or the name of a GPU as `tamis devices` lists it. */
  gpu: z.string().min(1).default('auto'),
  /** Whether the CPU takes over from the last finished block on where a device or GPU is lost in the run, which changes the last bits of results. */
  cpuFallback: z.boolean().default(true),
  /** Threads of the CPU; null = all of them. */
  threads: z.int().min(1).max(1024).nullable().default(null),
  /** Bytes of anonymous memory that the run may hold; null = 60 % of what is free when it starts. No result depends on it. */
  memory: z.int().positive().nullable().default(null),
  /** Compress the first so many blocks only, to try a recipe; null = all. */
  blocks: z.int().min(1).nullable().default(null),
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
export type Device = Recipe['device'];
export type EstimateKind = (typeof estimateKinds)[number];

/** Checks a recipe and fills in its defaults: 70 %, uniform or by what clearly does better in a trial. A pattern or a file of sparsities leaves no room for a target, and 0 % nothing to schedule. */
export function parseRecipe(value: unknown): Recipe {
  const parsed = recipeInputSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    throw new TamisError('recipe.invalid', { field: field === '' ? 'the top' : field, reason: issue?.message ?? '' });
  }
  const { nm, sparsity: target, scheduler = { kind: nm || target === 0 ? 'uniform' : 'auto' }, ...rest } = parsed.data;
  const hasTarget = target !== undefined && target !== null;
  if (nm && hasTarget) throw new TamisError('recipe.target-with-nm');
  if (nm && scheduler.kind !== 'uniform')
    throw new TamisError('recipe.scheduler-with-nm', { scheduler: scheduler.kind });
  if (scheduler.kind === 'file' && hasTarget) throw new TamisError('recipe.target-with-file');
  const fixed = nm !== null || scheduler.kind === 'file';
  const { fit, evaluation } = rest;
  if (fit && fixed) throw new TamisError(nm ? 'recipe.fit-with-nm' : 'recipe.fit-with-file');
  if (fit?.kind === 'perplexity' && evaluation.datasets.length === 0)
    throw new TamisError('recipe.fit-without-evaluation');
  return { ...rest, nm, scheduler, sparsity: fixed ? null : (target ?? (fit ? null : 0.7)) };
}
