import { z } from 'zod';

import { activationOf, readConfig } from '../config.ts';
import {
  attentionByType,
  attentionShape,
  layerTypesOf,
  openDecoder,
  sizeFields,
  wholeHeads,
  windowOf,
  type Traits,
} from '../decoder.ts';
import type { FamilyModel, Source } from '../family.ts';
import { ropeFields, ropeOf } from '../rope.ts';

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
type QwenConfig = z.infer<z.ZodObject<typeof qwenFields>>;

/** Qwen 2 and 2.5 (arXiv 2407.10671) as in transformers' Qwen2ForCausalLM: LLaMA with biases of queries, keys and values. */
export function openQwen2(source: Source): FamilyModel {
  const config = readConfig(source, z.object(qwenFields));
  return openDecoder(source, {
    family: 'qwen2',
    ...qwenTraits(source, config),
    biases: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
  });
}

/** What Qwen 2 and 3 have in common: their later blocks may attend to a window. */
export function qwenTraits(source: Source, config: QwenConfig): Omit<Traits, 'family'> {
  const shape = attentionShape(config);
  const rotary = wholeHeads(ropeOf(config), shape);
  const slides = config.use_sliding_window && config.sliding_window !== null;
  const types = layerTypesOf(source, config, (block) =>
    slides && block >= config.max_window_layers ? 'sliding_attention' : 'full_attention',
  );
  return {
    sizes: config,
    maxSeqlen: config.max_position_embeddings,
    activation: activationOf(config.hidden_act),
    tied: config.tie_word_embeddings,
    attention: attentionByType(types, (type) => {
      if (type === 'full_attention') return { ...shape, rotary };
      readConfig(source, z.object({ use_sliding_window: z.literal(true) }));
      return { ...shape, rotary, window: windowOf(source, SLIDING_WINDOW) };
    }),
  };
}
