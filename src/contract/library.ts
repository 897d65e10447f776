import { z } from 'zod';

import { failureSchema } from './failure.ts';

/** What a checkpoint's config and headers tell, without reading a weight. */
export const modelHeadSchema = z.strictObject({
  family: z.string(),
  dtype: z.string(),
  blocks: z.int(),
  /** Linear weights that Tamis prunes. */
  layers: z.int(),
  hidden: z.int(),
  vocab: z.int(),
  maxSeqlen: z.int(),
  parameters: z.int(),
  /** Bytes of the weight files. */
  bytes: z.int(),
});
export type ModelHead = z.infer<typeof modelHeadSchema>;

export const tensorSchema = z.strictObject({
  name: z.string(),
  dtype: z.string(),
  shape: z.array(z.int()),
  bytes: z.int(),
  elements: z.int(),
  /** A linear weight that Tamis prunes. */
  layer: z.boolean(),
});
export type TensorHead = z.infer<typeof tensorSchema>;

/** Exact zeros of a tensor: known only once its weights have been read. */
export const tensorZerosSchema = z.strictObject({ name: z.string(), zeros: z.int() });

/** A model of the library. */
export const modelSchema = z.strictObject({
  id: z.string(),
  path: z.string(),
  /** The name of its folder. */
  name: z.string(),
  /** The one that comes with Tamis; it cannot be removed. */
  demo: z.boolean(),
  state: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('reading') }),
    z.strictObject({ kind: z.literal('ready'), head: modelHeadSchema }),
    z.strictObject({ kind: z.literal('refused'), failure: failureSchema }),
    /** The folder is not where it was. */
    z.strictObject({ kind: z.literal('missing') }),
  ]),
  /** Runs in the history made from it. */
  runs: z.int(),
});
export type Model = z.infer<typeof modelSchema>;
