import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';

/** Defaults as in transformers' OPTConfig. */
const schema = z.object({
  vocab_size: z.int().positive().default(50272),
  hidden_size: z.int().positive().default(768),
  num_hidden_layers: z.int().positive().default(12),
  ffn_dim: z.int().positive().default(3072),
  max_position_embeddings: z.int().positive().default(2048),
  do_layer_norm_before: z.boolean().default(true),
  _remove_final_layer_norm: z.boolean().default(false),
  word_embed_proj_dim: z.int().positive().nullish(),
  num_attention_heads: z.int().positive().default(12),
  activation_function: z.string().default('relu'),
  enable_bias: z.boolean().default(true),
  layer_norm_elementwise_affine: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(true),
});

export function readOptConfig(source: Source) {
  const config = readConfig(source, schema);
  return { ...config, word_embed_proj_dim: config.word_embed_proj_dim ?? config.hidden_size };
}
