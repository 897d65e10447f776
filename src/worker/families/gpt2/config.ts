import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';

/** Defaults as in transformers' GPT2Config, with the other names that it takes for its fields. */
const schema = z
  .object({
    vocab_size: z.int().positive().default(50257),
    n_positions: z.int().positive().optional(),
    max_position_embeddings: z.int().positive().optional(),
    n_embd: z.int().positive().optional(),
    hidden_size: z.int().positive().optional(),
    n_layer: z.int().positive().optional(),
    num_hidden_layers: z.int().positive().optional(),
    n_head: z.int().positive().optional(),
    num_attention_heads: z.int().positive().optional(),
    n_inner: z.int().positive().nullish(),
    activation_function: z.string().default('gelu_new'),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    scale_attn_weights: z.boolean().default(true),
    scale_attn_by_inverse_layer_idx: z.boolean().default(false),
    add_cross_attention: z.literal(false).default(false),
    tie_word_embeddings: z.boolean().default(true),
  })
  .transform((config) => {
    const hidden = config.n_embd ?? config.hidden_size ?? 768;
    return {
      ...config,
      hidden,
      inner: config.n_inner ?? 4 * hidden,
      blocks: config.n_layer ?? config.num_hidden_layers ?? 12,
      heads: config.n_head ?? config.num_attention_heads ?? 12,
      positions: config.n_positions ?? config.max_position_embeddings ?? 1024,
    };
  });

export type Gpt2Config = z.infer<typeof schema>;

export function readGpt2Config(source: Source): Gpt2Config {
  return readConfig(source, schema);
}
