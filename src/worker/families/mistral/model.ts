import { activationOf } from '../config.ts';
import type { FamilyModel, Source } from '../family.ts';
import { openLlamaLike } from '../llama-like/model.ts';
import { attentionShape, wholeHeads } from '../llama-like/traits.ts';
import { attentionByType } from '../llama-like/windows.ts';
import { llamaGguf } from '../llama/gguf.ts';
import { readMistralConfig } from './config.ts';

/**
 * Mistral (arXiv 2310.06825) as in transformers' MistralForCausalLM: LLaMA with a window that each token sees. With `layer_types`
 * transformers takes it for a Ministral, some of whose blocks have none. llama.cpp takes it for a LLaMA.
 */
export function openMistral(source: Source): FamilyModel {
  const config = readMistralConfig(source);
  const shape = attentionShape(config);
  const rotary = wholeHeads(config.rope, shape);
  return openLlamaLike(source, {
    family: 'mistral',
    sizes: config,
    maxSeqlen: config.max_position_embeddings,
    activation: activationOf(config.hidden_act),
    tied: config.tie_word_embeddings,
    attention: attentionByType(config.windows, (_, window) => ({ ...shape, rotary, window })),
    gguf: llamaGguf(config),
  });
}
