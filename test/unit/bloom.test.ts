import { expect, test } from 'vitest';

import { alibiSlopes } from '../../src/worker/families/bloom/model.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { fixtureFolder, openFixture } from '../fixtures/models.ts';

test('names layers, taps and tensors as the checkpoint does', () => {
  const family = openFixture('bloom-plain');
  expect(family).toMatchObject({
    family: 'bloom',
    blocks: 2,
    hidden: 8,
    vocab: 150,
    maxSeqlen: 32,
    defaultScheduler: 'paper',
    attention: { heads: 4, kvHeads: 4, size: 2 },
  });
  expect(family.layers(1)).toEqual([
    { name: 'transformer.h.1.self_attention.query_key_value', tap: 'attn_in', type: 'query_key_value' },
    { name: 'transformer.h.1.self_attention.dense', tap: 'attn_out', sum: 'attn_sum', type: 'dense' },
    { name: 'transformer.h.1.mlp.dense_h_to_4h', tap: 'mlp_in', type: 'dense_h_to_4h' },
    { name: 'transformer.h.1.mlp.dense_4h_to_h', tap: 'mlp_mid', sum: 'mlp_sum', type: 'dense_4h_to_h' },
  ]);
  expect(family.blockTensors(1)).toHaveLength(12);
  expect(openFixture('bloom-three-heads').layers(0)[0]?.name).toBe('h.0.self_attention.query_key_value');
});

test('takes 2048 tokens where config.json does not say', () => {
  expect(openFixture('bloom-plain', { seq_length: undefined }).maxSeqlen).toBe(2048);
});

test('knows the older names of fields', () => {
  const older = { hidden_size: undefined, n_embed: 8, n_layer: undefined, num_hidden_layers: 2 };
  expect(openFixture('bloom-plain', { ...older, n_head: undefined, num_attention_heads: 4 })).toMatchObject({
    blocks: 2,
    hidden: 8,
    attention: { heads: 4 },
  });
});

// What transformers' _get_alibi_slopes gives.
test.each([
  [3, [0.0625, 0.00390625, 0.25]],
  [4, [0.25, 0.0625, 0.015625, 0.00390625]],
  [6, [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125]],
  [
    12,
    [
      0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625, 0.7071067690849304, 0.3535533845424652,
      0.1767766773700714, 0.0883883386850357,
    ],
  ],
  [16, [0.7071067690849304, 0.4999999701976776, 0.3535533845424652, 0.2499999850988388, 0.1767766773700714]],
  [112, [0.9170040488243103, 0.8408964276313782, 0.7711054086685181, 0.7071067690849304, 0.6484197974205017]],
])('has the slopes of %i heads', (heads, expected) => {
  const slopes = alibiSlopes(heads);
  expect(slopes).toHaveLength(heads);
  for (const [i, slope] of expected.entries()) expect(Math.abs((slopes[i] ?? NaN) / slope - 1)).toBeLessThan(1e-7);
});

test.each([
  [{ n_head: 3 }, 'config.heads', { hidden: 8, heads: 3 }],
  [{ layer_norm_epsilon: 0 }, 'config.field', { field: 'layer_norm_epsilon' }],
  [{ hidden_size: 16 }, 'checkpoint.tensor-shape', { name: 'transformer.word_embeddings.weight' }],
  [{ n_layer: 3 }, 'checkpoint.tensor-missing', { name: 'transformer.h.2.self_attention.query_key_value.weight' }],
  [{ tie_word_embeddings: false }, 'checkpoint.tensor-missing', { name: 'lm_head.weight' }],
])('refuses %o', (change, code, params) => {
  expect(() => openFixture('bloom-plain', change)).toThrow(
    expect.objectContaining({ code, params: expect.objectContaining(params) as unknown }),
  );
});

test('opens a model with its dtype', async () => {
  expect((await openModel(fixtureFolder('bloom-plain'))).dtype).toBe('F32');
  expect((await openModel(fixtureFolder('bloom-three-heads'))).dtype).toBe('F16');
  expect((await openModel(fixtureFolder('bloom-post-norm'))).dtype).toBe('BF16');
});
