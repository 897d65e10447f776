import type { Failure } from '../../contract/failure.ts';
import { activationOf } from './config.ts';
import type { LayerType } from './decoder.ts';
import type { GemmaConfig } from './gemma2/model.ts';
import { decoderName, layerNames } from './gguf-decoder.ts';
import { setting, type Described, type Place } from './gguf-family.ts';

// What Gemma 2 and 3 have in common in llama.cpp.

export const gemmaNames = {
  ...layerNames,
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};

/** Weights of norms are stored less one in the checkpoint and whole in the file. */
export function gemmaPlaces(inBlock: Readonly<Record<string, string>>, name: string): Place[] {
  const known = decoderName(inBlock, name);
  if (known === null) return [];
  return [known.endsWith('norm.weight') ? { name: known, plus: 1 } : { name: known }];
}

/**
 * What llama.cpp has settled for all of them. `types`: of the model's blocks, `known`: where it has a window; `largest`: blocks of the
 * model whose scores it scales by the width of a head's share.
 */
export function gemmaRefusal(
  model: Described,
  config: GemmaConfig,
  { largest, types, known }: { largest: number; types: readonly LayerType[]; known: (block: number) => LayerType },
): Failure | null {
  const { blocks, hidden, attention } = model.family;
  if (activationOf(config.hidden_activation) !== 'gelu-tanh')
    return setting('hidden_activation', config.hidden_activation);
  if (config.attention_bias) return setting('attention_bias', true);
  const scalar = blocks === largest ? hidden / attention.heads : attention.size;
  if (config.query_pre_attn_scalar !== scalar) return setting('query_pre_attn_scalar', config.query_pre_attn_scalar);
  return types.every((type, block) => type === known(block)) ? null : setting('layer_types', types);
}
