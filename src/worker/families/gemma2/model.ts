import { activationOf } from '../config.ts';
import type { FamilyModel, Source } from '../family.ts';
import { openLlamaLike } from '../llama-like/model.ts';
import { attentionLayers, attentionShape, wholeHeads, type Traits } from '../llama-like/traits.ts';
import { attentionByType } from '../llama-like/windows.ts';
import { readGemma2Config, type GemmaConfig } from './config.ts';
import { gemma2Gguf } from './gguf.ts';

/** Gemma 2 (arXiv 2408.00118) as in transformers' Gemma2ForCausalLM: capped scores and logits, a window in every other block. */
export function openGemma2(source: Source): FamilyModel {
  const config = readGemma2Config(source);
  const shape = attentionShape(config);
  const attention = {
    ...shape,
    rotary: wholeHeads(config.rope, shape),
    scale: gemmaScale(config),
    softcap: config.attn_logit_softcapping ?? undefined,
  };
  return openLlamaLike(source, {
    family: 'gemma2',
    ...gemmaTraits(config),
    maxSeqlen: config.max_position_embeddings,
    logitCap: config.final_logit_softcapping,
    attention: attentionByType(config.windows, (_, window) => ({ ...attention, window })),
    gguf: gemma2Gguf(config),
  });
}

/** What Gemma 2 and 3 have in common: norms around, whose weights are stored less one, and scaled embeddings. */
export function gemmaTraits(config: GemmaConfig): Omit<Traits, 'family' | 'maxSeqlen' | 'attention' | 'gguf'> {
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
