import { setting } from '../gguf.ts';
import type { GgufTraits } from '../gpt-like/traits.ts';
import type { BloomConfig } from './config.ts';

export function bloomGguf(config: BloomConfig): GgufTraits {
  const field = 'apply_residual_connection_post_layernorm';
  return { architecture: 'bloom', refusal: config[field] ? setting(field, true) : null };
}
