import { z } from 'zod';

import { readConfig } from '../config.ts';
import type { Source } from '../family.ts';
import type { BlockAttention, Sizes, Traits } from './traits.ts';

const layerType = z.enum(['full_attention', 'sliding_attention']);
export type LayerType = z.infer<typeof layerType>;

/** Which blocks attend to a window. */
export interface Windows {
  /** The type of each block. */
  readonly types: readonly LayerType[];
  /** Tokens in the window; undefined where no block has one. */
  readonly width: number | undefined;
}

export interface WindowDefaults {
  /** The type of a block where `layer_types` says nothing. */
  readonly type: (block: number) => LayerType;
  /** `sliding_window` where config.json does not say. */
  readonly width: number;
  /** What a config with such blocks has to say beside. */
  readonly needed?: z.ZodRawShape;
}

/** The windows of a config, whose `layer_types` have to be one for each block. */
export function readWindows(
  source: Source,
  { num_hidden_layers: blocks }: Pick<Sizes, 'num_hidden_layers'>,
  { type, width, needed }: WindowDefaults,
): Windows {
  const typed = z.object({ layer_types: z.array(layerType).length(blocks).nullish() });
  const types = readConfig(source, typed).layer_types ?? Array.from({ length: blocks }, (_, block) => type(block));
  if (!types.includes('sliding_attention')) return { types, width: undefined };
  const windowed = z.object({ ...needed, sliding_window: z.int().positive().default(width) });
  return { types, width: readConfig(source, windowed).sliding_window };
}

/** Blocks of one type attend alike; `attentionOf` gets the window of such blocks, undefined for those that see everything. */
export function attentionByType(
  { types, width }: Windows,
  attentionOf: (type: LayerType, window: number | undefined) => BlockAttention,
): Traits['attention'] {
  const made = new Map(
    [...new Set(types)].map((type) => [type, attentionOf(type, type === 'sliding_attention' ? width : undefined)]),
  );
  return (block) => {
    const attention = made.get(types[block] ?? 'full_attention');
    if (!attention) throw new Error(`no block ${block}`);
    return attention;
  };
}
