import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import { sizeFields } from '../llama-like/traits.ts';
import { readWindows } from '../llama-like/windows.ts';
import { ropeFields, ropeOf } from '../rope/rope.ts';

const SLIDING_WINDOW = 4096;

/** Defaults as in transformers' Qwen2Config and Qwen3Config. */
export const qwenFields = {
  ...sizeFields({ vocab: 151936, hidden: 4096, inner: 22016, blocks: 32, heads: 32, kvHeads: 32 }),
  ...ropeFields(32768),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.int().positive().nullable().default(SLIDING_WINDOW),
  max_window_layers: z.int().nonnegative().default(28),
};
type QwenFields = z.infer<z.ZodObject<typeof qwenFields>>;

export type QwenConfig = QwenFields & ReturnType<typeof derived>;

export function readQwen2Config(source: Source): QwenConfig {
  const config = readConfig(source, z.object(qwenFields));
  return { ...config, ...derived(source, config) };
}

/** What follows from the fields of Qwen 2 and 3: their later blocks may attend to a window. */
export function derived(source: Source, config: QwenFields) {
  const slides = config.use_sliding_window && config.sliding_window !== null;
  const windows = readWindows(source, config, {
    type: (block) => (slides && block >= config.max_window_layers ? 'sliding_attention' : 'full_attention'),
    width: SLIDING_WINDOW,
    needed: { use_sliding_window: z.literal(true) },
  });
  return { rope: ropeOf(config), windows };
}
