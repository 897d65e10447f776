import { z } from 'zod';

import { activationOf, readConfig } from '../config.ts';
import {
  attentionByType,
  attentionLayers,
  attentionShape,
  layerTypesOf,
  openDecoder,
  sizeFields,
  wholeHeads,
  windowOf,
  type LayerType,
  type Traits,
} from '../decoder.ts';
import type { FamilyModel, Source } from '../family.ts';
import { ropeFields, ropeOf } from '../rope.ts';

const SLIDING_WINDOW = 4096;

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

export const gemma2ConfigSchema = z.object({
  ...gemmaFields,
  ...ropeFields(8192),
  final_logit_softcapping: cap.default(30),
  attn_logit_softcapping: cap.default(50),
});

/** Gemma 2 (arXiv 2408.00118) as in transformers' Gemma2ForCausalLM: capped scores and logits, a window in every other block. */
export function openGemma2(source: Source): FamilyModel {
  const config = readConfig(source, gemma2ConfigSchema);
  const shape = attentionShape(config);
  const attention = {
    ...shape,
    rotary: wholeHeads(ropeOf(config), shape),
    scale: gemmaScale(config),
    softcap: config.attn_logit_softcapping ?? undefined,
  };
  const types = layerTypesOf(source, config, usualGemma2Type);
  return openDecoder(source, {
    family: 'gemma2',
    ...gemmaTraits(config),
    maxSeqlen: config.max_position_embeddings,
    logitCap: config.final_logit_softcapping,
    attention: attentionByType(types, (type) => ({ ...attention, window: gemmaWindow(source, type) })),
  });
}

/** A block's where `layer_types` says nothing. */
export function usualGemma2Type(block: number): LayerType {
  return block % 2 === 0 ? 'sliding_attention' : 'full_attention';
}

/** What Gemma 2 and 3 have in common: norms around, whose weights are stored less one, and scaled embeddings. */
export function gemmaTraits(config: GemmaConfig): Omit<Traits, 'family' | 'maxSeqlen' | 'attention'> {
  return {
    sizes: config,
    activation: activationOf(config.hidden_activation),
    tied: config.tie_word_embeddings,
    biases: config.attention_bias ? attentionLayers : [],
    normsAround: true,
    normOffset: 1,
    embeddingScale: Math.sqrt(config.hidden_size),
  };
}

export function gemmaScale(config: GemmaConfig): number {
  return Math.sqrt(1 / config.query_pre_attn_scalar);
}

export function gemmaWindow(source: Source, type: LayerType): number | undefined {
  return type === 'sliding_attention' ? windowOf(source, SLIDING_WINDOW) : undefined;
}
