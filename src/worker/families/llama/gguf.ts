import { decoderMetadata, decoderName, layerNames, normsBefore, otherActivation } from '../gguf-decoder.ts';
import type { Described, GgufFamily, Place } from '../gguf-family.ts';
import { ropeFactors, ropeMetadata, ropeOfModel, ropeRefusal } from '../gguf-rope.ts';

const architecture = 'llama';
const inBlock = { ...layerNames, ...normsBefore };

export const llama: GgufFamily = {
  architecture,
  refusal: (model) => otherActivation(model) ?? ropeRefusal(ropeOfModel(model)),
  metadata: (model) => ({
    ...decoderMetadata(architecture, model, model.family.maxSeqlen),
    ...ropeMetadata(architecture, ropeOfModel(model), model.family.attention.size),
  }),
  places(model, name) {
    const known = decoderName(inBlock, name);
    return known === null ? [] : [{ name: known, ...turned(model, name) }];
  },
  extras: (model) => ropeFactors(ropeOfModel(model), model.family.attention.size),
};

/** Rows of queries and keys are reordered: pairs that a rotary position turns together, i and i + size / 2, become neighbours. */
function turned({ family }: Described, name: string): Pick<Place, 'rows'> {
  const { heads, kvHeads, size } = family.attention;
  if (/\.self_attn\.q_proj\.(weight|bias)$/.test(name)) return { rows: pairwise(heads, size) };
  if (/\.self_attn\.k_proj\.(weight|bias)$/.test(name)) return { rows: pairwise(kvHeads, size) };
  return {};
}

/** The checkpoint's row for each row of the file. */
export function pairwise(heads: number, size: number): Uint32Array {
  return Uint32Array.from({ length: heads * size }, (_, row) => {
    const [head, within] = [Math.floor(row / size), row % size];
    return head * size + (within % 2) * (size / 2) + Math.floor(within / 2);
  });
}
