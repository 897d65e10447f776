import type { Failure } from '../../../contract/failure.ts';
import { gemmaRefusal } from '../gemma2/gguf.ts';
import { setting } from '../gguf.ts';
import type { GgufTraits } from '../llama-like/traits.ts';
import { fullEvery, type Gemma3Config } from './config.ts';

/** In llama.cpp one of so many blocks sees everything. */
const PATTERN = 6;

export function gemma3Gguf(config: Gemma3Config): GgufTraits {
  const { full_attention: rope, sliding_attention: windowRope } = config.ropes;
  return {
    architecture: 'gemma3',
    refusal: otherSetting(config) ?? gemmaRefusal(config, { largest: 62, windowType: fullEvery(PATTERN) }),
    rope,
    windows: { rope: windowRope },
  };
}

function otherSetting({ final_logit_softcapping: cap, ropes }: Gemma3Config): Failure | null {
  if (cap) return setting('final_logit_softcapping', cap);
  const { full_attention: whole, sliding_attention: local } = ropes;
  if (!['default', 'dynamic', 'linear'].includes(whole.rope_type)) return setting('rope_type', whole.rope_type);
  return local.rope_type === 'default' ? null : setting('rope_type', local.rope_type);
}
