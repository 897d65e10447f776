import type { FamilyModel, Source } from '../family.ts';
import { openLlamaLike } from '../llama-like/model.ts';
import { attentionLayers } from '../llama-like/traits.ts';
import { qwenTraits } from '../qwen2/model.ts';
import { readQwen3Config } from './config.ts';
import { qwen3Gguf } from './gguf.ts';

/** Qwen 3 (arXiv 2505.09388) as in transformers' Qwen3ForCausalLM: queries and keys are normalized head by head. */
export function openQwen3(source: Source): FamilyModel {
  const config = readQwen3Config(source);
  return openLlamaLike(source, {
    family: 'qwen3',
    ...qwenTraits(config),
    headNorms: true,
    biases: config.attention_bias ? attentionLayers : [],
    gguf: qwen3Gguf(config),
  });
}
