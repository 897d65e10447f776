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
} from '../decoder.ts';
import type { FamilyModel, Source } from '../family.ts';
import { ropeFields, ropeOf } from '../rope.ts';

const SLIDING_WINDOW = 4096;

/** Defaults as in transformers' MistralConfig. */
const configSchema = z.object({
  ...sizeFields({ vocab: 32000, hidden: 4096, inner: 14336, blocks: 32, heads: 32, kvHeads: 8 }),
  ...ropeFields(131072),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  sliding_window: z.int().positive().nullable().default(SLIDING_WINDOW),
});

/**
 * Mistral (arXiv 2310.06825) as in transformers' MistralForCausalLM: LLaMA with a window that each token sees. With `layer_types`
 * transformers takes it for a Ministral, some of whose blocks have none.
 */
export function openMistral(source: Source): FamilyModel {
  const config = readConfig(source, configSchema);
  const shape = attentionShape(config);
  const rotary = wholeHeads(ropeOf(config), shape);
  const usual = config.sliding_window === null ? 'full_attention' : 'sliding_attention';
  return openDecoder(source, {
    family: 'mistral',
    sizes: config,
    maxSeqlen: config.max_position_embeddings,
    activation: activationOf(config.hidden_act),
    tied: config.tie_word_embeddings,
    attention: attentionByType(
      layerTypesOf(source, config, () => usual),
      (type) => ({
        ...shape,
        rotary,
        window: type === 'sliding_attention' ? windowOf(source, SLIDING_WINDOW) : undefined,
      }),
    ),
  });
}
