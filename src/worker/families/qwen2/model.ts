import { activationOf } from '../config.ts';
import type { FamilyModel, Source } from '../family.ts';
import { openLlamaLike } from '../llama-like/model.ts';
import { attentionShape, wholeHeads, type Traits } from '../llama-like/traits.ts';
import { attentionByType } from '../llama-like/windows.ts';
import { readQwen2Config, type QwenConfig } from './config.ts';
import { qwen2Gguf } from './gguf.ts';

/** Qwen 2 and 2.5 (arXiv 2407.10671) as in transformers' Qwen2ForCausalLM: LLaMA with biases of queries, keys and values. */
export function openQwen2(source: Source): FamilyModel {
  const config = readQwen2Config(source);
  return openLlamaLike(source, {
    family: 'qwen2',
    ...qwenTraits(config),
    biases: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
    gguf: qwen2Gguf(config),
  });
}

/** What Qwen 2 and 3 have in common. */
export function qwenTraits(config: QwenConfig): Omit<Traits, 'family' | 'gguf'> {
  const shape = attentionShape(config);
  const rotary = wholeHeads(config.rope, shape);
  return {
    sizes: config,
    maxSeqlen: config.max_position_embeddings,
    activation: activationOf(config.hidden_act),
    tied: config.tie_word_embeddings,
    attention: attentionByType(config.windows, (_, window) => ({ ...shape, rotary, window })),
  };
}
