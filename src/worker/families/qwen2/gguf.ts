import { layerNames, normsBefore } from '../gguf-decoder.ts';
import { setting } from '../gguf-family.ts';
import { qwen } from '../gguf-qwen.ts';

export const qwen2 = qwen('qwen2', { ...layerNames, ...normsBefore }, ({ family }) => {
  const { heads, size } = family.attention;
  return heads * size === family.hidden ? null : setting('head_dim', size);
});
