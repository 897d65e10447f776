import { setting } from '../gguf.ts';
import type { GgufTraits } from '../llama-like/traits.ts';
import { qwenGguf } from '../qwen2/gguf.ts';
import type { Qwen3Config } from './config.ts';

export function qwen3Gguf(config: Qwen3Config): GgufTraits {
  return qwenGguf('qwen3', config, config.attention_bias ? setting('attention_bias', true) : null);
}
