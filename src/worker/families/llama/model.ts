import { activationOf } from '../config.ts';
import type { FamilyModel, Source } from '../family.ts';
import { openLlamaLike } from '../llama-like/model.ts';
import { attentionLayers, attentionShape, mlpLayers, wholeHeads } from '../llama-like/traits.ts';
import { readLlamaConfig } from './config.ts';
import { llamaGguf } from './gguf.ts';

/** LLaMA (arXiv 2302.13971, grouped queries 2307.09288) as in transformers' LlamaForCausalLM. */
export function openLlama(source: Source): FamilyModel {
  const config = readLlamaConfig(source);
  const shape = attentionShape(config);
  const attention = { ...shape, rotary: wholeHeads(config.rope, shape) };
  return openLlamaLike(source, {
    family: 'llama',
    sizes: config,
    maxSeqlen: config.max_position_embeddings,
    activation: activationOf(config.hidden_act),
    tied: config.tie_word_embeddings,
    attention: () => attention,
    biases: [...(config.attention_bias ? attentionLayers : []), ...(config.mlp_bias ? mlpLayers : [])],
    gguf: llamaGguf(config),
  });
}
