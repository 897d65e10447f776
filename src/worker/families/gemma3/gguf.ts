import { readConfig } from '../config.ts';
import { layerTypesOf, windowOf, type LayerType } from '../decoder.ts';
import { gemma3ConfigSchema, ropeOfType } from './model.ts';
import { decoderMetadata, headNorms } from '../gguf-decoder.ts';
import { setting, type GgufFamily } from '../gguf-family.ts';
import { gemmaNames, gemmaPlaces, gemmaRefusal } from '../gguf-gemma.ts';
import { ropeMetadata } from '../gguf-rope.ts';

const architecture = 'gemma3';
/** Every so many blocks one sees everything. */
const PATTERN = 6;

export const gemma3: GgufFamily = {
  architecture,
  refusal(model) {
    const config = readConfig(model, gemma3ConfigSchema);
    if (config.final_logit_softcapping) return setting('final_logit_softcapping', config.final_logit_softcapping);
    const whole = ropeOfType(config, 'full_attention');
    if (!['default', 'dynamic', 'linear'].includes(whole.rope_type)) return setting('rope_type', whole.rope_type);
    const local = ropeOfType(config, 'sliding_attention');
    if (local.rope_type !== 'default') return setting('rope_type', local.rope_type);
    const every =
      (pattern: number) =>
      (block: number): LayerType =>
        (block + 1) % pattern ? 'sliding_attention' : 'full_attention';
    const types = layerTypesOf(model, config, every(config.sliding_window_pattern));
    return gemmaRefusal(model, config, { largest: 62, types, known: every(PATTERN) });
  },
  metadata(model) {
    const config = readConfig(model, gemma3ConfigSchema);
    return {
      ...decoderMetadata(architecture, model, model.family.maxSeqlen),
      ...ropeMetadata(architecture, ropeOfType(config, 'full_attention'), model.family.attention.size),
      [`${architecture}.rope.freq_base_swa`]: { f32: ropeOfType(config, 'sliding_attention').rope_theta },
      [`${architecture}.attention.sliding_window`]: { u32: windowOf(model, 4096) },
    };
  },
  places: (_, name) => gemmaPlaces({ ...gemmaNames, ...headNorms }, name),
  extras: () => [],
};
