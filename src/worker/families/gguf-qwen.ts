import { z } from 'zod';

import type { Failure } from '../../contract/failure.ts';
import { readConfig } from './config.ts';
import { qwenFields } from './qwen2/model.ts';
import { decoderMetadata, decoderName, otherActivation } from './gguf-decoder.ts';
import type { Described, GgufFamily } from './gguf-family.ts';
import { ropeFactors, ropeMetadata, ropeOfModel, ropeRefusal } from './gguf-rope.ts';
import { windowContext } from './gguf-window.ts';

/** What Qwen 2 and 3 have in common: llama.cpp has no window for them, so that the file is for as many tokens as see everything. */
export function qwen(
  architecture: string,
  inBlock: Readonly<Record<string, string>>,
  refusal: (model: Described) => Failure | null,
): GgufFamily {
  return {
    architecture,
    refusal: (model) => otherActivation(model) ?? refusal(model) ?? ropeRefusal(ropeOfModel(model)),
    metadata: (model) => ({
      ...decoderMetadata(architecture, model, contextOf(model)),
      ...ropeMetadata(architecture, ropeOfModel(model), model.family.attention.size),
    }),
    places(_, name) {
      const known = decoderName(inBlock, name);
      return known === null ? [] : [{ name: known }];
    },
    extras: (model) => ropeFactors(ropeOfModel(model), model.family.attention.size),
  };
}

function contextOf(model: Described): number {
  const config = readConfig(model, z.object(qwenFields));
  const slides = config.use_sliding_window && config.sliding_window !== null;
  return windowContext(model, (block) => slides && block >= config.max_window_layers);
}
