import type { FamilyModel, Source } from '../family.ts';
import { gemmaScale, gemmaTraits } from '../gemma2/model.ts';
import { openLlamaLike } from '../llama-like/model.ts';
import { attentionShape, wholeHeads } from '../llama-like/traits.ts';
import { attentionByType } from '../llama-like/windows.ts';
import { readGemma3Config } from './config.ts';
import { gemma3Gguf } from './gguf.ts';

/**
 * Gemma 3's text models (arXiv 2503.19786) as in transformers' Gemma3ForCausalLM: Gemma 2 with normalized queries and keys, and
 * rotary positions of their own for the blocks with a window. It has no place for capped scores, whatever its config says.
 */
export function openGemma3(source: Source): FamilyModel {
  const config = readGemma3Config(source);
  const shape = attentionShape(config);
  return openLlamaLike(source, {
    family: 'gemma3',
    ...gemmaTraits(config),
    maxSeqlen: config.max_position_embeddings,
    logitCap: config.final_logit_softcapping,
    headNorms: true,
    attention: attentionByType(config.windows, (type, window) => ({
      ...shape,
      rotary: wholeHeads(config.ropes[type], shape),
      scale: gemmaScale(config),
      window,
    })),
    gguf: gemma3Gguf(config),
  });
}
