import { z } from 'zod';

import { readConfig } from '../config.ts';
import { headNorms, layerNames, normsBefore } from '../gguf-decoder.ts';
import { setting } from '../gguf-family.ts';
import { qwen } from '../gguf-qwen.ts';

export const qwen3 = qwen('qwen3', { ...layerNames, ...normsBefore, ...headNorms }, (model) => {
  const { attention_bias: hasBias } = readConfig(model, z.object({ attention_bias: z.boolean().default(false) }));
  return hasBias ? setting('attention_bias', true) : null;
});
