import { readConfig } from '../config.ts';
import { layerTypesOf, windowOf } from '../decoder.ts';
import { gemma2ConfigSchema, usualGemma2Type } from './model.ts';
import { decoderMetadata } from '../gguf-decoder.ts';
import { setting, type GgufFamily } from '../gguf-family.ts';
import { gemmaNames, gemmaPlaces, gemmaRefusal } from '../gguf-gemma.ts';
import { plainRopeRefusal, ropeMetadata, ropeOfModel } from '../gguf-rope.ts';

const architecture = 'gemma2';

export const gemma2: GgufFamily = {
  architecture,
  refusal(model) {
    const config = readConfig(model, gemma2ConfigSchema);
    const caps = ['attn_logit_softcapping', 'final_logit_softcapping'] as const;
    const open = caps.find((field) => config[field] === null);
    if (open !== undefined) return setting(open, null);
    const types = layerTypesOf(model, config, usualGemma2Type);
    return (
      gemmaRefusal(model, config, { largest: 46, types, known: usualGemma2Type }) ??
      plainRopeRefusal(ropeOfModel(model))
    );
  },
  metadata(model) {
    const config = readConfig(model, gemma2ConfigSchema);
    return {
      ...decoderMetadata(architecture, model, model.family.maxSeqlen),
      ...ropeMetadata(architecture, ropeOfModel(model), model.family.attention.size),
      [`${architecture}.attention.sliding_window`]: { u32: windowOf(model, 4096) },
      [`${architecture}.attn_logit_softcapping`]: { f32: config.attn_logit_softcapping ?? 0 },
      [`${architecture}.final_logit_softcapping`]: { f32: config.final_logit_softcapping ?? 0 },
    };
  },
  /** The head's matrix is the embedding's, always. */
  places: (_, name) => (name === 'lm_head.weight' ? [] : gemmaPlaces(gemmaNames, name)),
  extras: () => [],
};
