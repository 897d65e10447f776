import type { Failure } from '../../../contract/failure.ts';
import { frequencies } from '../../graph/operations.ts';
import { setting, type ExtraVector, type GgufValue } from '../gguf.ts';
import { rotaryOf, type Rope } from './rope.ts';

/** llama.cpp computes YaRN with its usual settings only. */
const usualYarn = {
  attention_factor: null,
  beta_fast: 32,
  beta_slow: 1,
  mscale: null,
  mscale_all_dim: null,
  truncate: true,
} as const;

/** Why llama.cpp does not turn heads as the model does; null where it does. */
export function ropeRefusal(rope: Rope): Failure | null {
  switch (rope.rope_type) {
    case 'default':
    case 'dynamic':
    case 'linear':
    case 'llama3':
      return null;
    case 'yarn': {
      const fields = Object.keys(usualYarn) as (keyof typeof usualYarn)[];
      const other = fields.find((field) => (rope[field] ?? usualYarn[field]) !== usualYarn[field]);
      return other === undefined ? null : setting(other, rope[other]);
    }
    case 'longrope':
    case 'proportional':
      return setting('rope_type', rope.rope_type);
  }
}

/** The same for an architecture that has no place for a factor a pair. */
export function plainRopeRefusal(rope: Rope): Failure | null {
  return rope.rope_type === 'llama3' ? setting('rope_type', rope.rope_type) : ropeRefusal(rope);
}

/** `turned`: entries of a head that turn. */
export function ropeMetadata(architecture: string, rope: Rope, turned: number): Record<string, GgufValue> {
  const at = `${architecture}.rope`;
  return {
    [`${at}.dimension_count`]: { u32: turned },
    [`${at}.freq_base`]: { f32: rope.rope_theta },
    ...(rope.rope_type === 'linear' && {
      [`${at}.scaling.type`]: { string: 'linear' },
      [`${at}.scaling.factor`]: { f32: rope.factor },
    }),
    ...(rope.rope_type === 'yarn' && yarnMetadata(at, rope)),
  };
}

function yarnMetadata(at: string, rope: Extract<Rope, { rope_type: 'yarn' }>): Record<string, GgufValue> {
  const original = rope.original_max_position_embeddings ?? rope.maxSeqlen;
  return {
    [`${at}.scaling.type`]: { string: 'yarn' },
    [`${at}.scaling.factor`]: { f32: rope.factor ?? rope.maxSeqlen / original },
    [`${at}.scaling.original_context_length`]: { u32: original },
  };
}

/** How many times slower than usual each pair of a head of `size` turns, where that is no one formula of llama.cpp's. */
export function ropeFactors(rope: Rope, size: number): ExtraVector[] {
  if (rope.rope_type !== 'llama3') return [];
  const usual = frequencies(size, rope.rope_theta).inverse;
  const { inverse } = rotaryOf(rope, size).frequencies;
  return [{ name: 'rope_freqs.weight', values: usual.map((value, i) => value / (inverse[i] ?? NaN)) }];
}
