import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import { sizeFields } from '../llama-like/traits.ts';
import { readWindows } from '../llama-like/windows.ts';
import { ropeFields, ropeOf } from '../rope/rope.ts';

const SLIDING_WINDOW = 4096;

/** Defaults as in transformers' MistralConfig. */
const schema = z.object({
  ...sizeFields({ vocab: 32000, hidden: 4096, inner: 14336, blocks: 32, heads: 32, kvHeads: 8 }),
  ...ropeFields(131072),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  sliding_window: z.int().positive().nullable().default(SLIDING_WINDOW),
});

export function readMistralConfig(source: Source) {
  const config = readConfig(source, schema);
  const type = config.sliding_window === null ? 'full_attention' : 'sliding_attention';
  const windows = readWindows(source, config, { type: () => type, width: SLIDING_WINDOW });
  return { ...config, rope: ropeOf(config), windows };
}
