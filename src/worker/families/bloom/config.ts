import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';

/** The length of the published models' training, where config.json does not say. */
const SEQ_LENGTH = 2048;

/** Defaults as in transformers' BloomConfig, with the other names that it takes for its fields. */
const schema = z
  .object({
    vocab_size: z.int().positive().default(250880),
    hidden_size: z.int().positive().default(64),
    n_embed: z.int().positive().nullish(),
    n_layer: z.int().positive().optional(),
    num_hidden_layers: z.int().positive().optional(),
    n_head: z.int().positive().optional(),
    num_attention_heads: z.int().positive().optional(),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    apply_residual_connection_post_layernorm: z.boolean().default(false),
    seq_length: z.int().positive().nullish(),
    tie_word_embeddings: z.boolean().default(true),
  })
  .transform(({ hidden_size, n_embed, n_layer, num_hidden_layers, n_head, num_attention_heads, ...rest }) => ({
    ...rest,
    hidden: n_embed ?? hidden_size,
    blocks: n_layer ?? num_hidden_layers ?? 2,
    heads: n_head ?? num_attention_heads ?? 8,
    seq_length: rest.seq_length ?? SEQ_LENGTH,
  }));

export type BloomConfig = z.infer<typeof schema>;

export function readBloomConfig(source: Source): BloomConfig {
  return readConfig(source, schema);
}
