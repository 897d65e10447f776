import { expect, test } from 'vitest';

import { openModel } from '../../src/worker/model/open.ts';
import { fixtureFolder, fixtureTensors, openFixture } from '../fixtures/models.ts';

test('names layers, taps and tensors as the checkpoint does', () => {
  const family = openFixture('llama-grouped');
  expect(family).toMatchObject({
    family: 'llama',
    blocks: 2,
    hidden: 16,
    vocab: 150,
    maxSeqlen: 16,
    defaultScheduler: 'relative-by-type',
    attention: { heads: 4, kvHeads: 2, size: 4 },
  });
  expect(family.layers(1)).toEqual([
    { name: 'model.layers.1.self_attn.q_proj', tap: 'attn_in', type: 'q_proj' },
    { name: 'model.layers.1.self_attn.k_proj', tap: 'attn_in', type: 'k_proj' },
    { name: 'model.layers.1.self_attn.v_proj', tap: 'attn_in', type: 'v_proj' },
    { name: 'model.layers.1.self_attn.o_proj', tap: 'attn_out', sum: 'attn_sum', type: 'o_proj' },
    { name: 'model.layers.1.mlp.gate_proj', tap: 'mlp_in', type: 'gate_proj' },
    { name: 'model.layers.1.mlp.up_proj', tap: 'mlp_in', type: 'up_proj' },
    { name: 'model.layers.1.mlp.down_proj', tap: 'mlp_mid', sum: 'mlp_sum', type: 'down_proj' },
  ]);
  expect(family.blockTensors(1)).toHaveLength(9);
  expect(openFixture('llama-biases').blockTensors(1)).toHaveLength(16);
});

test('a bare decoder has no prefix', () => {
  const tensors = [...fixtureTensors('llama-grouped').values()].map((info) => ({
    ...info,
    name: info.name.slice('model.'.length),
  }));
  const family = openFixture('llama-grouped', {}, new Map(tensors.map((info) => [info.name, info])));
  expect(family.layers(0)[0]?.name).toBe('layers.0.self_attn.q_proj');
});

test('as many heads of keys as of queries, and hidden_size / heads wide, where config.json does not say otherwise', () => {
  const family = openFixture('llama-biases', { num_key_value_heads: null, head_dim: undefined });
  expect(family.attention).toEqual({ heads: 4, kvHeads: 4, size: 4 });
});

test.each([
  [{ hidden_act: 'mish' }, 'config.activation', { value: 'mish' }],
  [{ rope_parameters: undefined, rope_scaling: { type: 'su' } }, 'config.rope', { type: 'su' }],
  [{ partial_rotary_factor: 0.5 }, 'config.rope-partial', { turned: 2, size: 4 }],
  [{ rope_parameters: undefined, rope_theta: '1e4' }, 'config.field', { field: 'rope_theta' }],
  [{ head_dim: undefined, num_attention_heads: 3 }, 'config.heads', { hidden: 16, heads: 3 }],
  [{ num_key_value_heads: 3 }, 'config.kv-heads', { heads: 4, kvHeads: 3 }],
  [{ head_dim: 3 }, 'config.field', { field: 'head_dim' }],
  [{ rms_norm_eps: 0 }, 'config.field', { field: 'rms_norm_eps' }],
  [
    { num_key_value_heads: 4 },
    'checkpoint.tensor-shape',
    { name: 'model.layers.0.self_attn.k_proj.weight', shape: '8x16', expected: '16x16' },
  ],
  [{ intermediate_size: 32 }, 'checkpoint.tensor-shape', { name: 'model.layers.0.mlp.gate_proj.weight' }],
  [{ attention_bias: true }, 'checkpoint.tensor-missing', { name: 'model.layers.0.self_attn.q_proj.bias' }],
  [{ mlp_bias: true }, 'checkpoint.tensor-missing', { name: 'model.layers.0.mlp.gate_proj.bias' }],
  [{ num_hidden_layers: 3 }, 'checkpoint.tensor-missing', { name: 'model.layers.2.self_attn.q_proj.weight' }],
  [{ tie_word_embeddings: false }, 'checkpoint.tensor-missing', { name: 'lm_head.weight' }],
])('refuses %o', (change, code, params) => {
  expect(() => openFixture('llama-grouped', change)).toThrow(
    expect.objectContaining({ code, params: expect.objectContaining(params) as unknown }),
  );
});

test('opens a model with its dtype', async () => {
  expect((await openModel(fixtureFolder('llama-grouped'))).dtype).toBe('F32');
  expect((await openModel(fixtureFolder('llama-biases'))).dtype).toBe('F16');
  expect((await openModel(fixtureFolder('llama-wide-heads'))).dtype).toBe('BF16');
});
