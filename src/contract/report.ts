import { z } from 'zod';

import { measuredSchema, perplexityPairsSchema } from './measured.ts';
import { bitsSchema } from './recipe/fields.ts';
import { targets } from './recipe/targets.ts';
import { recipeSchema } from './recipe.ts';

const iterationSchema = z.strictObject({
  /** Share of the weights that are kept which the iteration before did not keep; 1 in the first. */
  changed: z.number(),
  /** Relative output error of the weights so far, which begin dense, so at 0, and are not cut to the mask yet. */
  error: z.number(),
});
export type Iteration = z.infer<typeof iterationSchema>;

export const layerResultSchema = z.strictObject({
  /** As in the checkpoint, without `.weight`: `model.decoder.layers.3.fc1`. */
  name: z.string(),
  block: z.int(),
  /** The last part of the name that is the same in every block: `fc1`, `self_attn.q_proj`. */
  type: z.string(),
  rows: z.int(),
  cols: z.int(),
  /** mean of W²/U_jj² over the dense layer; null where no estimate pass was made. */
  estimate: z.number().nullable(),
  /** Mean KL divergence of the dense model from itself with this layer alone pruned at 70 %, nats a token; null where it was not measured. */
  sensitivity: z.number().nullable().default(null),
  /** K-means group, 0 = the smallest centroid; null without groups. */
  group: z.int().nullable(),
  /** As scheduled. */
  targetSparsity: z.number(),
  /** Share of exact zeros in the layer as stored. */
  sparsity: z.number(),
  /** Bits of a kept weight; null where the layer is not quantized. */
  bits: z.int().nullable().default(null),
  /** Relative output error ‖X(W'−W)ᵀ‖² / ‖XWᵀ‖² on the calibration data; null without calibration. */
  error: z.number().nullable(),
  /** How mask and weights were found together, an entry an iteration; null where the method does not iterate, or nothing was pruned. */
  iterations: z.array(iterationSchema).nullable().default(null),
});
export type LayerResult = z.infer<typeof layerResultSchema>;

export const centroidSchema = z.strictObject({
  group: z.int(),
  log10: z.number(),
  sparsity: z.number(),
  layers: z.int(),
});
export type Centroid = z.infer<typeof centroidSchema>;

/** A schedule that a subsample was compressed with, and how it did on the sequences held back. */
export const candidateSchema = z.strictObject({
  scheduler: z.enum(['uniform', 'allocate']),
  /** The range of `allocate`; null for `uniform`. */
  range: z.number().nullable(),
  targets: z.enum(targets).default('layer'),
  /** null where the trial came to values that are not finite. */
  perplexity: z.number().nullable(),
  /**
   * Negative log-likelihood less that of uniform, sequence by sequence, nats a token: the mean, and its standard error. null of uniform
   * itself, and where one sequence or none can be compared.
   */
  difference: z.strictObject({ mean: z.number(), standardError: z.number() }).nullable().default(null),
});
export type Candidate = z.infer<typeof candidateSchema>;

export const choiceSchema = z.strictObject({
  /** Calibration sequences that the candidates were compressed with, and those held back that they were measured on. */
  sequences: z.int(),
  heldBack: z.int(),
  seqlen: z.int(),
  candidates: z.array(candidateSchema),
  /** Standard errors by which a difference must be below 0 for another candidate to take the place of uniform; null where none could. */
  margin: z.number().nullable().default(null),
  /** Place in `candidates` of the one that the run was compressed with. */
  chosen: z.int(),
});
export type Choice = z.infer<typeof choiceSchema>;

/** What was foreseen of a number of bits, before a run that was to come to a size. */
const foreseenSchema = z.strictObject({
  bits: bitsSchema,
  /** The target with which the size was to be reached. */
  sparsity: z.number(),
  /** What the logarithm of the perplexity rises by, by pruning and quantization together: nats a token. */
  rise: z.number(),
});
export type Foreseen = z.infer<typeof foreseenSchema>;

/** What the run decided by what it was to come to. */
export const targetSchema = z.strictObject({
  sparsity: z.number(),
  /** null without quantization. */
  bits: bitsSchema.nullable(),
  /** What was foreseen for each of the bits that could be chosen, fewest first; empty where it was for a perplexity. */
  foreseen: z.array(foreseenSchema),
});
export type Target = z.infer<typeof targetSchema>;

const newestSchema = z.strictObject({
  version: z.literal(2),
  tamis: z.string(),
  /** ISO 8601 times. */
  startedAt: z.string(),
  finishedAt: z.string(),
  recipe: recipeSchema,
  fingerprint: z.string(),
  model: z.strictObject({
    name: z.string(),
    family: z.string(),
    parameters: z.int(),
    dtype: z.string(),
    blocks: z.int(),
    blocksCompressed: z.int(),
    /** Bytes of the weight files, before and after (dense storage: the same but for rounding to shards). */
    bytes: z.int(),
    bytesCompressed: z.int(),
  }),
  /** Bytes of the packed archive, which was written to be measured; null where the recipe has no size to come to. */
  packedBytes: z.int().nullable().default(null),
  /** By dataset, in the order of the recipe; on each by every measure. */
  measured: z.array(measuredSchema),
  sparsity: z.strictObject({ target: z.number(), actual: z.number() }),
  /** Which estimate the schedule was made from; null where the scheduler uses none. */
  estimate: z.string().nullable(),
  centroids: z.array(centroidSchema),
  /** null where the recipe says it. */
  target: targetSchema.nullable().default(null),
  /** How `auto` chose; null of other schedulers. */
  choice: choiceSchema.nullable().default(null),
  layers: z.array(layerResultSchema),
  /** Seconds by stage, summed over interruptions. */
  seconds: z.record(z.string(), z.number()),
  /** Highest resident anonymous memory of the process, bytes. */
  peakMemoryBytes: z.int(),
  warnings: z.array(
    z.strictObject({ code: z.string(), params: z.record(z.string(), z.union([z.string(), z.number()])) }),
  ),
  environment: z.strictObject({
    platform: z.string(),
    cpu: z.string(),
    threads: z.int(),
    kernels: z.string(),
    device: z.string(),
    /** What Gram matrices, factors and sweeps were computed on; null = the CPU. */
    gpu: z.string().nullable().default(null),
    gpuDriver: z.string().nullable().default(null),
    node: z.string(),
    onnxruntime: z.string(),
  }),
});

/** Version 1, which knew perplexities alone. */
const firstSchema = z.looseObject({ version: z.literal(1), perplexity: z.unknown() });

/** A report of the newest version, whichever one it was written by. */
export const reportSchema = z.preprocess((value, context) => {
  const first = firstSchema.safeParse(value);
  if (!first.success) return value;
  const { perplexity, ...rest } = first.data;
  const measured = perplexityPairsSchema.safeParse(perplexity);
  if (measured.success) return { ...rest, version: 2, measured: measured.data };
  for (const { message, path } of measured.error.issues)
    context.addIssue({ code: 'custom', message, path: ['perplexity', ...path] });
  return z.NEVER;
}, newestSchema);
export type Report = z.infer<typeof reportSchema>;
