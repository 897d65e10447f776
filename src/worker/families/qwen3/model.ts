import { z } from 'zod';

import { readConfig } from '../config.ts';
import { attentionLayers, openDecoder } from '../decoder.ts';
import type { FamilyModel, Source } from '../family.ts';
import { qwenFields, qwenTraits } from '../qwen2/model.ts';

/** Defaults as in transformers' Qwen3Config. */
const configSchema = z.object({
  ...qwenFields,
  head_dim: z.int().positive().multipleOf(2).default(128),
  attention_bias: z.boolean().default(false),
});

/** Qwen 3 (arXiv 2505.09388) as in transformers' Qwen3ForCausalLM: queries and keys are normalized head by head. */
export function openQwen3(source: Source): FamilyModel {
  const config = readConfig(source, configSchema);
  return openDecoder(source, {
    family: 'qwen3',
    ...qwenTraits(source, config),
    headNorms: true,
    biases: config.attention_bias ? attentionLayers : [],
  });
}
