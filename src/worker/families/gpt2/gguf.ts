import type { Failure } from '../../../contract/failure.ts';
import { activationOf } from '../config.ts';
import { setting } from '../gguf.ts';
import type { GgufTraits } from '../gpt-like/traits.ts';
import type { Gpt2Config } from './config.ts';

export function gpt2Gguf(config: Gpt2Config): GgufTraits {
  return { architecture: 'gpt2', refusal: refusalOf(config) };
}

/** llama.cpp computes GELU by its approximation with tanh. */
function refusalOf(config: Gpt2Config): Failure | null {
  if (!config.scale_attn_weights) return setting('scale_attn_weights', false);
  if (config.scale_attn_by_inverse_layer_idx) return setting('scale_attn_by_inverse_layer_idx', true);
  const isGelu = activationOf(config.activation_function).startsWith('gelu');
  return isGelu ? null : setting('activation_function', config.activation_function);
}
