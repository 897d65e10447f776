import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import { ropeOf, ropeSchema } from '../rope/rope.ts';

/** Defaults as in transformers' GPTNeoXConfig; before its version 5 `rotary_pct`, `rotary_emb_base` and `rope_scaling` stood in the place of `rope_parameters`. */
const schema = z.object({
  vocab_size: z.int().positive().default(50432),
  hidden_size: z.int().positive().default(6144),
  num_hidden_layers: z.int().positive().default(44),
  num_attention_heads: z.int().positive().default(64),
  intermediate_size: z.int().positive().default(24576),
  hidden_act: z.string().default('gelu'),
  max_position_embeddings: z.int().positive().default(2048),
  layer_norm_eps: z.number().positive().default(1e-5),
  tie_word_embeddings: z.boolean().default(false),
  use_parallel_residual: z.boolean().default(true),
  attention_bias: z.boolean().default(true),
  rotary_pct: z.number().positive().max(1).default(0.25),
  rotary_emb_base: z.number().positive().default(10000),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
});

export type GptNeoxConfig = ReturnType<typeof readGptNeoxConfig>;

export function readGptNeoxConfig(source: Source) {
  const config = readConfig(source, schema);
  const { rotary_emb_base: rope_theta, rotary_pct: partial_rotary_factor } = config;
  return { ...config, rope: ropeOf({ ...config, rope_theta, partial_rotary_factor }) };
}
