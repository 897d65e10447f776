import { z } from 'zod';

import { activationOf, readConfig } from '../config.ts';
import { attentionLayers, attentionShape, mlpLayers, openDecoder, sizeFields, wholeHeads } from '../decoder.ts';
import type { FamilyModel, Source } from '../family.ts';
import { ropeFields, ropeOf } from '../rope.ts';

/** Defaults as in transformers' LlamaConfig. */
export const llamaConfigSchema = z.object({
  ...sizeFields({ vocab: 32000, hidden: 4096, inner: 11008, blocks: 32, heads: 32, kvHeads: null }),
  ...ropeFields(2048),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});

/** LLaMA (arXiv 2302.13971, grouped queries 2307.09288) as in transformers' LlamaForCausalLM. */
export function openLlama(source: Source): FamilyModel {
  const config = readConfig(source, llamaConfigSchema);
  const shape = attentionShape(config);
  const attention = { ...shape, rotary: wholeHeads(ropeOf(config), shape) };
  return openDecoder(source, {
    family: 'llama',
    sizes: config,
    maxSeqlen: config.max_position_embeddings,
    activation: activationOf(config.hidden_act),
    tied: config.tie_word_embeddings,
    attention: () => attention,
    biases: [...(config.attention_bias ? attentionLayers : []), ...(config.mlp_bias ? mlpLayers : [])],
  });
}
