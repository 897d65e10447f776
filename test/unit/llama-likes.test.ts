import { expect, test } from 'vitest';

import { fixtureTensors, openFixture } from '../fixtures/models.ts';

// What is common to these families is tested on LLaMA's (llama.test.ts).

test.each([
  ['mistral-window', 'mistral', 9, { heads: 4, kvHeads: 2, size: 6 }],
  ['qwen2-tied', 'qwen2', 12, { heads: 4, kvHeads: 2, size: 4 }],
  ['qwen3-tied', 'qwen3', 11, { heads: 4, kvHeads: 1, size: 8 }],
  ['qwen3-windows', 'qwen3', 15, { heads: 4, kvHeads: 2, size: 6 }],
  ['gemma2-capped', 'gemma2', 11, { heads: 4, kvHeads: 2, size: 6 }],
  ['gemma3-older', 'gemma3', 17, { heads: 4, kvHeads: 2, size: 6 }],
])('%s is of the family %s, with %i tensors in a block', (fixture, family, tensors, attention) => {
  const model = openFixture(fixture);
  expect(model).toMatchObject({ family, blocks: 2, hidden: 16, vocab: 150, maxSeqlen: 16, attention });
  expect(model.defaultScheduler).toBe('relative-by-type');
  expect(model.layers(1).map(({ name, tap }) => `${name} ${tap}`)).toEqual([
    'model.layers.1.self_attn.q_proj attn_in',
    'model.layers.1.self_attn.k_proj attn_in',
    'model.layers.1.self_attn.v_proj attn_in',
    'model.layers.1.self_attn.o_proj attn_out',
    'model.layers.1.mlp.gate_proj mlp_in',
    'model.layers.1.mlp.up_proj mlp_in',
    'model.layers.1.mlp.down_proj mlp_mid',
  ]);
  expect(model.blockTensors(1)).toHaveLength(tensors);
});

const eight = { rope_type: 'linear', factor: 8 };

test.each([
  ['mistral-window', { sliding_window: 0 }, 'config.field', { field: 'sliding_window' }],
  ['mistral-layers', { sliding_window: null }, 'config.field', { field: 'sliding_window' }],
  ['mistral-layers', { layer_types: ['full_attention'] }, 'config.field', { field: 'layer_types' }],
  ['mistral-window', { hidden_act: 'mish' }, 'config.activation', { value: 'mish' }],
  ['qwen2-layers', { layer_types: ['linear_attention', 'full_attention'] }, 'config.field', { field: 'layer_types.0' }],
  ['qwen2-layers', { use_sliding_window: false }, 'config.field', { field: 'use_sliding_window' }],
  [
    'qwen2-layers',
    { rope_parameters: { full_attention: eight } },
    'config.field',
    { field: 'rope_parameters.rope_type' },
  ],
  ['qwen2-windows', { max_window_layers: -1 }, 'config.field', { field: 'max_window_layers' }],
  ['qwen3-tied', { head_dim: undefined }, 'checkpoint.tensor-shape', { expected: '512x16' }],
  [
    'qwen3-tied',
    { attention_bias: true },
    'checkpoint.tensor-missing',
    { name: 'model.layers.0.self_attn.q_proj.bias' },
  ],
  ['gemma2-capped', { use_bidirectional_attention: true }, 'config.field', { field: 'use_bidirectional_attention' }],
  ['gemma2-capped', { attn_logit_softcapping: -1 }, 'config.field', { field: 'attn_logit_softcapping' }],
  ['gemma2-capped', { hidden_activation: 'mish' }, 'config.activation', { value: 'mish' }],
  ['gemma2-capped', { sliding_window: null }, 'config.field', { field: 'sliding_window' }],
  ['gemma2-capped', { num_key_value_heads: 3 }, 'config.kv-heads', { heads: 4, kvHeads: 3 }],
  ['gemma2-bare', { tie_word_embeddings: true, vocab_size: 151 }, 'checkpoint.tensor-shape', { expected: '151x16' }],
  ['gemma3-global', { rope_parameters: eight }, 'config.field', { field: 'rope_parameters' }],
  ['gemma3-global', { rope_parameters: { full_attention: { rope_type: 'su' } } }, 'config.rope', { type: 'su' }],
  ['gemma3-older', { sliding_window_pattern: 0 }, 'config.field', { field: 'sliding_window_pattern' }],
  ['gemma3-older', { model_type: 'gemma3' }, 'config.unknown-family', { type: 'gemma3' }],
])('%s with %o is refused', (fixture, change, code, params) => {
  expect(() => openFixture(fixture, change)).toThrow(
    expect.objectContaining({ code, params: expect.objectContaining(params) as unknown }),
  );
});

test.each([
  ['qwen2-tied', 'self_attn.k_proj.bias'],
  ['qwen3-tied', 'self_attn.q_norm.weight'],
  ['gemma2-capped', 'pre_feedforward_layernorm.weight'],
  ['gemma2-capped', 'post_feedforward_layernorm.weight'],
  ['gemma3-older', 'self_attn.k_norm.weight'],
])('%s without %s is refused', (fixture, part) => {
  const tensors = fixtureTensors(fixture);
  const name = `model.layers.1.${part}`;
  tensors.delete(name);
  expect(() => openFixture(fixture, {}, tensors)).toThrow(
    expect.objectContaining({
      code: 'checkpoint.tensor-missing',
      params: expect.objectContaining({ name }) as unknown,
    }),
  );
});

test('a Gemma ties its head to the embedding where config.json says nothing', () => {
  const tensors = fixtureTensors('gemma2-capped');
  expect(tensors.has('lm_head.weight')).toBe(false);
  expect(openFixture('gemma2-capped', { tie_word_embeddings: undefined }, tensors).vocab).toBe(150);
});
