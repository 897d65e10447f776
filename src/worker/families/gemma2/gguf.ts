import type { Failure } from '../../../contract/failure.ts';
import { activationOf } from '../config.ts';
import { setting } from '../gguf.ts';
import { attentionShape, type GgufTraits } from '../llama-like/traits.ts';
import type { LayerType, Windows } from '../llama-like/windows.ts';
import { plainRopeRefusal } from '../rope/gguf.ts';
import { usualType, type Gemma2Config, type GemmaConfig } from './config.ts';

const architecture = 'gemma2';

export function gemma2Gguf(config: Gemma2Config): GgufTraits {
  const { rope, attn_logit_softcapping: scores, final_logit_softcapping: logits } = config;
  return {
    architecture,
    refusal: openCap(config) ?? gemmaRefusal(config, { largest: 46, windowType: usualType }) ?? plainRopeRefusal(rope),
    rope,
    windows: {},
    alwaysTied: true,
    metadata: {
      [`${architecture}.attn_logit_softcapping`]: { f32: scores ?? 0 },
      [`${architecture}.final_logit_softcapping`]: { f32: logits ?? 0 },
    },
  };
}

function openCap(config: Gemma2Config): Failure | null {
  const open = (['attn_logit_softcapping', 'final_logit_softcapping'] as const).find((field) => config[field] === null);
  return open === undefined ? null : setting(open, null);
}

/**
 * What llama.cpp has settled for Gemma 2 and 3. `windowType`: which blocks have a window there; `largest`: blocks of the model whose
 * scores it scales by the width of a head's share.
 */
export function gemmaRefusal(
  config: GemmaConfig & { readonly windows: Windows },
  { largest, windowType }: { largest: number; windowType: (block: number) => LayerType },
): Failure | null {
  const { num_hidden_layers: blocks, hidden_size: hidden, query_pre_attn_scalar: given } = config;
  const { types } = config.windows;
  if (activationOf(config.hidden_activation) !== 'gelu-tanh')
    return setting('hidden_activation', config.hidden_activation);
  if (config.attention_bias) return setting('attention_bias', true);
  const { heads, size } = attentionShape(config);
  if (given !== (blocks === largest ? hidden / heads : size)) return setting('query_pre_attn_scalar', given);
  return types.every((type, block) => type === windowType(block)) ? null : setting('layer_types', types);
}
