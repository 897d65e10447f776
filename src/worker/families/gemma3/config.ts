import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import { gemmaFields, SLIDING_WINDOW } from '../gemma2/config.ts';
import { readWindows, type LayerType } from '../llama-like/windows.ts';
import { ropeOf, ropeSchema, type Rope } from '../rope/rope.ts';

const THETA = { full_attention: 1e6, sliding_attention: 1e4 } as const;

/** Defaults as in transformers' Gemma3TextConfig; before its version 5 `rope_theta`, `rope_local_base_freq` and `rope_scaling` stood in the place of `rope_parameters`. */
const schema = z.object({
  ...gemmaFields,
  vocab_size: z.int().positive().default(262208),
  max_position_embeddings: z.int().positive().default(131072),
  final_logit_softcapping: z.number().positive().nullish(),
  sliding_window_pattern: z.int().positive().default(6),
  rope_parameters: z
    .strictObject({ full_attention: ropeSchema.nullish(), sliding_attention: ropeSchema.nullish() })
    .nullish(),
  rope_theta: z.number().positive().default(THETA.full_attention),
  rope_local_base_freq: z.number().positive().default(THETA.sliding_attention),
  rope_scaling: ropeSchema.nullish(),
});

export type Gemma3Config = ReturnType<typeof readGemma3Config>;

export function readGemma3Config(source: Source) {
  const config = readConfig(source, schema);
  const type = fullEvery(config.sliding_window_pattern);
  const windows = readWindows(source, config, { type, width: SLIDING_WINDOW });
  const ropes: Record<LayerType, Rope> = {
    full_attention: ropeOfType(config, 'full_attention'),
    sliding_attention: ropeOfType(config, 'sliding_attention'),
  };
  return { ...config, ropes, windows };
}

/** The last of each `pattern` blocks sees everything. */
export function fullEvery(pattern: number): (block: number) => LayerType {
  return (block) => ((block + 1) % pattern ? 'sliding_attention' : 'full_attention');
}

/** Only the blocks that see everything have their positions scaled by an older config. */
function ropeOfType(config: z.infer<typeof schema>, type: LayerType): Rope {
  const isFull = type === 'full_attention';
  return ropeOf({
    max_position_embeddings: config.max_position_embeddings,
    rope_theta: isFull ? config.rope_theta : config.rope_local_base_freq,
    rope_scaling: isFull ? config.rope_scaling : null,
    rope_parameters: config.rope_parameters?.[type],
  });
}
