import { expect, test } from 'vitest';

import { weightShape } from '../../src/worker/families/family.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { fixtureFolder, fixtureTensors, openFixture } from '../fixtures/models.ts';

test('names layers, taps and tensors as the checkpoint does', () => {
  const family = openFixture('gpt2-inverse-layers');
  expect(family).toMatchObject({
    family: 'gpt2',
    blocks: 2,
    hidden: 8,
    vocab: 150,
    maxSeqlen: 16,
    defaultScheduler: 'relative-by-type',
    attention: { heads: 2, kvHeads: 2, size: 4 },
  });
  expect(family.layers(1)).toEqual([
    { name: 'transformer.h.1.attn.c_attn', tap: 'attn_in', type: 'c_attn', transposed: true },
    { name: 'transformer.h.1.attn.c_proj', tap: 'attn_out', sum: 'attn_sum', type: 'attn.c_proj', transposed: true },
    { name: 'transformer.h.1.mlp.c_fc', tap: 'mlp_in', type: 'c_fc', transposed: true },
    { name: 'transformer.h.1.mlp.c_proj', tap: 'mlp_mid', sum: 'mlp_sum', type: 'mlp.c_proj', transposed: true },
  ]);
  expect(family.blockTensors(1)).toHaveLength(12);
  expect(openFixture('gpt2-plain').layers(0)[0]?.name).toBe('h.0.attn.c_attn');
});

test('the shape of a layer is [out, in]', () => {
  const [fused, , wide] = openFixture('gpt2-inverse-layers').layers(0);
  expect(fused && weightShape(fused, fixtureTensors('gpt2-inverse-layers'))).toEqual({ rows: 24, cols: 8 });
  expect(wide && weightShape(wide, fixtureTensors('gpt2-inverse-layers'))).toEqual({ rows: 20, cols: 8 });
});

test('takes masks of older checkpoints for no weights', async () => {
  const tensors = fixtureTensors('gpt2-plain');
  expect(tensors.get('h.0.attn.bias')?.dtype).toBe('U8');
  expect(openFixture('gpt2-plain').blockTensors(0)).toHaveLength(12);
  const model = await openModel(fixtureFolder('gpt2-plain'));
  expect([...tensors.keys()].filter((name) => !model.tensors.has(name)).sort()).toEqual(
    [0, 1].flatMap((block) => ['bias', 'masked_bias'].map((name) => `h.${block}.attn.${name}`)),
  );
});

test.each([
  [{ activation_function: 'tanh' }, 'config.activation', { value: 'tanh' }],
  [{ n_head: 3 }, 'config.heads', { hidden: 8, heads: 3 }],
  [{ add_cross_attention: true }, 'config.field', { field: 'add_cross_attention' }],
  [
    { n_inner: null },
    'checkpoint.tensor-shape',
    { name: 'transformer.h.0.mlp.c_fc.weight', shape: '8x20', expected: '8x32' },
  ],
  [{ n_positions: 32 }, 'checkpoint.tensor-shape', { name: 'transformer.wpe.weight' }],
  [{ n_layer: 3 }, 'checkpoint.tensor-missing', { name: 'transformer.h.2.attn.c_attn.weight' }],
])('refuses %o', (change, code, params) => {
  expect(() => openFixture('gpt2-inverse-layers', change)).toThrow(
    expect.objectContaining({ code, params: expect.objectContaining(params) as unknown }),
  );
});

test('misses the head of a model that does not share its embedding', () => {
  expect(() => openFixture('gpt2-unscaled', { tie_word_embeddings: false })).toThrow(
    expect.objectContaining({ code: 'checkpoint.tensor-missing', params: { path: 'model', name: 'lm_head.weight' } }),
  );
});
