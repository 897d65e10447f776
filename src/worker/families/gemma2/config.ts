import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import { sizeFields } from '../llama-like/traits.ts';
import { readWindows, type LayerType } from '../llama-like/windows.ts';
import { ropeFields, ropeOf } from '../rope/rope.ts';

export const SLIDING_WINDOW = 4096;

/** Defaults as in transformers' Gemma2Config and Gemma3TextConfig. */
export const gemmaFields = {
  ...sizeFields({ vocab: 256000, hidden: 2304, inner: 9216, blocks: 26, heads: 8, kvHeads: 4 }),
  head_dim: z.int().positive().multipleOf(2).default(256),
  hidden_activation: z.string().default('gelu_pytorch_tanh'),
  tie_word_embeddings: z.boolean().default(true),
  attention_bias: z.boolean().default(false),
  query_pre_attn_scalar: z.number().positive().default(256),
  use_bidirectional_attention: z.literal(false).nullish(),
};
export type GemmaConfig = z.infer<z.ZodObject<typeof gemmaFields>>;

const cap = z.number().positive().nullable();

const schema = z.object({
  ...gemmaFields,
  ...ropeFields(8192),
  final_logit_softcapping: cap.default(30),
  attn_logit_softcapping: cap.default(50),
});

export type Gemma2Config = ReturnType<typeof readGemma2Config>;

export function readGemma2Config(source: Source) {
  const config = readConfig(source, schema);
  const windows = readWindows(source, config, { type: usualType, width: SLIDING_WINDOW });
  return { ...config, rope: ropeOf(config), windows };
}

/** Every other block has a window. */
export function usualType(block: number): LayerType {
  return block % 2 === 0 ? 'sliding_attention' : 'full_attention';
}
