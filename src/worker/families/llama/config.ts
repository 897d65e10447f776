import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import { sizeFields } from '../llama-like/traits.ts';
import { ropeFields, ropeOf } from '../rope/rope.ts';

/** Defaults as in transformers' LlamaConfig. */
const schema = z.object({
  ...sizeFields({ vocab: 32000, hidden: 4096, inner: 11008, blocks: 32, heads: 32, kvHeads: null }),
  ...ropeFields(2048),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});

export type LlamaConfig = ReturnType<typeof readLlamaConfig>;

export function readLlamaConfig(source: Source) {
  const config = readConfig(source, schema);
  return { ...config, rope: ropeOf(config) };
}
