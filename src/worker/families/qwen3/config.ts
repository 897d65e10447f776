import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import { derived, qwenFields } from '../qwen2/config.ts';

/** Defaults as in transformers' Qwen3Config. */
const schema = z.object({
  ...qwenFields,
  head_dim: z.int().positive().multipleOf(2).default(128),
  attention_bias: z.boolean().default(false),
});

export type Qwen3Config = ReturnType<typeof readQwen3Config>;

export function readQwen3Config(source: Source) {
  const config = readConfig(source, schema);
  return { ...config, ...derived(source, config) };
}
