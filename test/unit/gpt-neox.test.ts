import { expect, test } from 'vitest';

import { openModel } from '../../src/worker/model/open.ts';
import { fixtureFolder, fixtureTensors, openFixture } from '../fixtures/models.ts';

test('names layers, taps and tensors as the checkpoint does', () => {
  const family = openFixture('gpt_neox-parallel');
  expect(family).toMatchObject({
    family: 'gpt_neox',
    blocks: 2,
    hidden: 16,
    vocab: 150,
    maxSeqlen: 16,
    defaultScheduler: 'relative-by-type',
    attention: { heads: 2, kvHeads: 2, size: 8 },
  });
  expect(family.layers(1)).toEqual([
    { name: 'gpt_neox.layers.1.attention.query_key_value', tap: 'attn_in', type: 'query_key_value' },
    { name: 'gpt_neox.layers.1.attention.dense', tap: 'attn_out', sum: 'attn_sum', type: 'dense' },
    { name: 'gpt_neox.layers.1.mlp.dense_h_to_4h', tap: 'mlp_in', type: 'dense_h_to_4h' },
    { name: 'gpt_neox.layers.1.mlp.dense_4h_to_h', tap: 'mlp_mid', sum: 'mlp_sum', type: 'dense_4h_to_h' },
  ]);
  expect(family.blockTensors(1)).toHaveLength(12);
  expect(openFixture('gpt_neox-tied').layers(0)[0]?.name).toBe('layers.0.attention.query_key_value');
});

test('takes masks and tables of older checkpoints for no weights', async () => {
  const tensors = fixtureTensors('gpt_neox-sequential');
  expect(tensors.get('gpt_neox.layers.0.attention.bias')?.dtype).toBe('BOOL');
  expect(openFixture('gpt_neox-sequential').blockTensors(0)).toHaveLength(10);
  const model = await openModel(fixtureFolder('gpt_neox-sequential'));
  const left = [...tensors.keys()].filter((name) => !model.tensors.has(name));
  expect(left.sort()).toEqual(
    [0, 1].flatMap((block) =>
      ['bias', 'masked_bias', 'rotary_emb.inv_freq'].map((name) => `gpt_neox.layers.${block}.attention.${name}`),
    ),
  );
});

test('knows the head by its newer name', () => {
  const tensors = [...fixtureTensors('gpt_neox-parallel').values()].map((info) => ({
    ...info,
    name: info.name.replace('embed_out', 'lm_head'),
  }));
  const family = openFixture('gpt_neox-parallel', {}, new Map(tensors.map((info) => [info.name, info])));
  expect(family.vocab).toBe(150);
});

test.each([
  [{ hidden_act: 'mish' }, 'config.activation', { value: 'mish' }],
  [
    { num_attention_heads: 3, rope_parameters: { partial_rotary_factor: 0.5 } },
    'config.heads',
    { hidden: 16, heads: 3 },
  ],
  [{ rope_parameters: { partial_rotary_factor: 0.4 } }, 'config.rope-pairs', { turned: 3 }],
  [
    { rope_parameters: { partial_rotary_factor: 0 } },
    'config.field',
    { field: 'rope_parameters.partial_rotary_factor' },
  ],
  [{ rope_parameters: null, rotary_pct: 0.1 }, 'config.rope-pairs', { turned: 0 }],
  [{ rope_parameters: { rope_type: 'nope' } }, 'config.rope', { type: 'nope' }],
  [
    { intermediate_size: 64 },
    'checkpoint.tensor-shape',
    { name: 'gpt_neox.layers.0.mlp.dense_h_to_4h.weight', shape: '24x16', expected: '64x16' },
  ],
  [
    { num_hidden_layers: 3 },
    'checkpoint.tensor-missing',
    { name: 'gpt_neox.layers.2.attention.query_key_value.weight' },
  ],
])('refuses %o', (change, code, params) => {
  expect(() => openFixture('gpt_neox-parallel', change)).toThrow(
    expect.objectContaining({ code, params: expect.objectContaining(params) as unknown }),
  );
});

test.each([
  [{ attention_bias: true }, 'sequential', 'gpt_neox.layers.0.attention.query_key_value.bias'],
  [{ tie_word_embeddings: false }, 'tied', 'embed_out.weight'],
])('misses what %o asks for', (change, variant, name) => {
  expect(() => openFixture(`gpt_neox-${variant}`, change)).toThrow(
    expect.objectContaining({ code: 'checkpoint.tensor-missing', params: { path: 'model', name } }),
  );
});
