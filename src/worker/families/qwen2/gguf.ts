import type { Failure } from '../../../contract/failure.ts';
import { setting } from '../gguf.ts';
import { otherActivation } from '../llama-like/gguf.ts';
import { attentionShape, type GgufTraits } from '../llama-like/traits.ts';
import { ropeRefusal } from '../rope/gguf.ts';
import type { QwenConfig } from './config.ts';

export function qwen2Gguf(config: QwenConfig): GgufTraits {
  const { heads, size } = attentionShape(config);
  return qwenGguf('qwen2', config, heads * size === config.hidden_size ? null : setting('head_dim', size));
}

/** What Qwen 2 and 3 have in common. `refusal`: that of one of them alone. */
export function qwenGguf(architecture: string, config: QwenConfig, refusal: Failure | null): GgufTraits {
  const { rope } = config;
  return { architecture, rope, refusal: otherActivation(config) ?? refusal ?? ropeRefusal(rope) };
}
