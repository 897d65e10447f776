import { otherActivation } from '../llama-like/gguf.ts';
import type { GgufTraits } from '../llama-like/traits.ts';
import { ropeRefusal } from '../rope/gguf.ts';
import type { LlamaConfig } from './config.ts';

export function llamaGguf(config: Pick<LlamaConfig, 'hidden_act' | 'rope'>): GgufTraits {
  const { rope } = config;
  return {
    architecture: 'llama',
    refusal: otherActivation(config) ?? ropeRefusal(rope),
    rope,
    turnsNeighbours: true,
  };
}
