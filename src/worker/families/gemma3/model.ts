import { z } from 'zod';

import { readConfig } from '../config.ts';
import { attentionByType, attentionShape, layerTypesOf, openDecoder, wholeHeads, type LayerType } from '../decoder.ts';
import type { FamilyModel, Source } from '../family.ts';
import { gemmaFields, gemmaScale, gemmaTraits, gemmaWindow } from '../gemma2/model.ts';
import { ropeOf, ropeSchema, type Rope } from '../rope.ts';

const THETA = { full_attention: 1e6, sliding_attention: 1e4 } as const;

/** Defaults as in transformers' Gemma3TextConfig; before its version 5 `rope_theta`, `rope_local_base_freq` and `rope_scaling` stood in the place of `rope_parameters`. */
export const gemma3ConfigSchema = z.object({
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
type Config = z.infer<typeof gemma3ConfigSchema>;

/**
 * Gemma 3's text models (arXiv 2503.19786) as in transformers' Gemma3ForCausalLM: Gemma 2 with normalized queries and keys, and
 * rotary positions of their own for the blocks with a window. It has no place for capped scores, whatever its config says.
 */
export function openGemma3(source: Source): FamilyModel {
  const config = readConfig(source, gemma3ConfigSchema);
  const shape = attentionShape(config);
  const usual = config.sliding_window_pattern;
  const types = layerTypesOf(source, config, (block) => ((block + 1) % usual ? 'sliding_attention' : 'full_attention'));
  return openDecoder(source, {
    family: 'gemma3',
    ...gemmaTraits(config),
    maxSeqlen: config.max_position_embeddings,
    logitCap: config.final_logit_softcapping,
    headNorms: true,
    attention: attentionByType(types, (type) => ({
      ...shape,
      rotary: wholeHeads(ropeOfType(config, type), shape),
      scale: gemmaScale(config),
      window: gemmaWindow(source, type),
    })),
  });
}

/** Only the blocks that see everything have their positions scaled by an older config. */
export function ropeOfType(config: Config, type: LayerType): Rope {
  const isFull = type === 'full_attention';
  return ropeOf({
    max_position_embeddings: config.max_position_embeddings,
    rope_theta: isFull ? config.rope_theta : config.rope_local_base_freq,
    rope_scaling: isFull ? config.rope_scaling : null,
    rope_parameters: config.rope_parameters?.[type],
  });
}
