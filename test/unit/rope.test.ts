import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { z } from 'zod';

import { ropeFields, ropeOf, rotaryOf, type Rope } from '../../src/worker/families/rope/rope.ts';

interface Kind {
  readonly name: string;
  readonly length: number;
  readonly size: number;
  readonly parameters: Record<string, unknown>;
  /** What transformers computes with them; `far` beyond the original length. */
  readonly inverse: readonly number[];
  readonly factor: number;
  readonly far: readonly number[] | null;
}

/** Of scripts/make-rope-fixture.py. */
const kinds = JSON.parse(readFileSync(new URL('../fixtures/rope.json', import.meta.url), 'utf8')) as Kind[];
const schema = z.object(ropeFields(2048));
const rope = (config: Record<string, unknown>): Rope => ropeOf(schema.parse(config));

/** The largest difference, as a multiple of the half of a last place that each float32 step may be off by. */
function roundings(actual: Float32Array, expected: readonly number[]): number {
  expect(actual).toHaveLength(expected.length);
  return expected.reduce(
    (worst, value, i) => Math.max(worst, value === actual[i] ? 0 : Math.abs((actual[i] ?? NaN) / value - 1) * 2 ** 24),
    0,
  );
}

test.each(kinds)('$name turns as in transformers', ({ length, size, parameters, inverse, factor, far }) => {
  const made = rotaryOf(rope({ max_position_embeddings: length, rope_parameters: parameters }), size);
  expect(made).toMatchObject({ size, turned: size });
  // Its powers may be off by a last place, which is two of these, and up to two steps follow.
  expect(roundings(made.frequencies.inverse, inverse)).toBeLessThan(4);
  expect(made.frequencies.factor).toBe(Math.fround(factor));
  expect(made.beyond?.positions).toBe(far === null ? undefined : parameters['original_max_position_embeddings']);
  if (far) expect(roundings(made.beyond?.frequencies.inverse ?? new Float32Array(), far)).toBeLessThan(4);
});

test('of two spellings the older one goes first, and theta may stand beside it', () => {
  const newer = { rope_type: 'default', rope_theta: 500 };
  expect(rope({ rope_parameters: newer })).toMatchObject({ rope_type: 'default', rope_theta: 500, maxSeqlen: 2048 });
  expect(rope({ rope_theta: 300 })).toMatchObject({ rope_type: 'default', rope_theta: 300 });
  expect(rope({ rope_theta: 300, rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: newer })).toMatchObject({
    rope_type: 'linear',
    factor: 2,
    rope_theta: 300,
  });
});

test('the original length may stand beside the parameters, and is the whole length where nothing says it', () => {
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  const speeds = (config: Record<string, unknown>): Float32Array =>
    rotaryOf(rope({ max_position_embeddings: 8192, ...config }), 64).frequencies.inverse;
  const explicit = speeds({ rope_parameters: { ...llama3, original_max_position_embeddings: 1024 } });
  expect(speeds({ rope_parameters: llama3, original_max_position_embeddings: 1024 })).toEqual(explicit);
  expect(speeds({ rope_parameters: llama3, max_position_embeddings: 1024 })).toEqual(explicit);
  expect(speeds({ rope_parameters: llama3 })).not.toEqual(explicit);
});

test('a part of a head turns', () => {
  expect(rotaryOf(rope({ partial_rotary_factor: 0.25 }), 16)).toMatchObject({ size: 16, turned: 4 });
  expect(rotaryOf(rope({ rope_parameters: { partial_rotary_factor: 0.5 } }), 16)).toMatchObject({ turned: 8 });
});

test.each([
  [{ rope_type: 'su' }, { type: 'su', known: 'default, linear, dynamic, yarn, longrope, llama3, proportional' }],
  [{ type: 'mrope' }, { type: 'mrope' }],
  [{ type: 'constructor' }, { type: 'constructor' }],
])('refuses the unknown type of %o', (parameters, params) => {
  expect(() => rope({ rope_parameters: parameters })).toThrow(
    expect.objectContaining({ code: 'config.rope', params: expect.objectContaining(params) as unknown }),
  );
});

test.each([
  [{ partial_rotary_factor: 0.2 }, 'config.rope-pairs', { turned: 3 }],
  [
    { rope_parameters: { rope_type: 'longrope', short_factor: [1, 2], long_factor: [1, 2, 3] } },
    'config.rope-factors',
    { field: 'short_factor', count: 2, expected: 8 },
  ],
])('refuses %o', (config, code, params) => {
  expect(() => rotaryOf(rope(config), 16)).toThrow(expect.objectContaining({ code, params }));
});

test.each([
  [{ rope_type: 'llama3', factor: 8, low_freq_factor: 1 }, 'high_freq_factor'],
  [{ rope_type: 'linear' }, 'factor'],
  [{ rope_type: 'yarn', factor: -1 }, 'factor'],
  [{ rope_type: 'longrope', short_factor: [1] }, 'long_factor'],
  [{ full_attention: { rope_type: 'linear', factor: 2 } }, 'rope_type'],
])('refuses the parameters %o by the field', (parameters, field) => {
  const { error } = schema.safeParse({ rope_parameters: parameters });
  expect(error?.issues[0]?.path).toEqual(['rope_parameters', field]);
});
