import { layerTypesOf, windowOf } from './decoder.ts';
import type { Described } from './gguf-family.ts';

const SLIDING_WINDOW = 4096;

/** Tokens that all see each other in every block; `slides`: whether a block has a window where `layer_types` says nothing. */
export function windowContext(model: Described, slides: (block: number) => boolean): number {
  const { blocks, maxSeqlen } = model.family;
  const types = layerTypesOf(model, { num_hidden_layers: blocks }, (block) =>
    slides(block) ? 'sliding_attention' : 'full_attention',
  );
  return types.includes('sliding_attention') ? Math.min(maxSeqlen, windowOf(model, SLIDING_WINDOW)) : maxSeqlen;
}
