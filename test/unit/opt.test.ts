import { expect, test } from 'vitest';

import { openModel } from '../../src/worker/model/open.ts';
import { fixtureFolder, fixtureTensors, openFixture } from '../fixtures/models.ts';
import { testFolder } from '../fixtures/safetensors.ts';

test('names layers, taps and tensors as the checkpoint does', () => {
  const family = openFixture('opt-pre-norm');
  expect(family).toMatchObject({
    family: 'opt',
    blocks: 2,
    hidden: 8,
    vocab: 90,
    maxSeqlen: 16,
    defaultScheduler: 'paper',
  });
  expect(family.layers(1)).toEqual([
    { name: 'model.decoder.layers.1.self_attn.q_proj', tap: 'attn_in', type: 'q_proj' },
    { name: 'model.decoder.layers.1.self_attn.k_proj', tap: 'attn_in', type: 'k_proj' },
    { name: 'model.decoder.layers.1.self_attn.v_proj', tap: 'attn_in', type: 'v_proj' },
    { name: 'model.decoder.layers.1.self_attn.out_proj', tap: 'attn_out', sum: 'attn_sum', type: 'out_proj' },
    { name: 'model.decoder.layers.1.fc1', tap: 'mlp_in', type: 'fc1' },
    { name: 'model.decoder.layers.1.fc2', tap: 'mlp_mid', sum: 'mlp_sum', type: 'fc2' },
  ]);
  expect(family.blockTensors(1)).toHaveLength(16);
  expect(family.blockTensors(1).every((name) => name.startsWith('model.decoder.layers.1.'))).toBe(true);
});

test('knows the shorter key prefix', () => {
  const family = openFixture('opt-bare');
  expect(family.layers(0)[0]?.name).toBe('decoder.layers.0.self_attn.q_proj');
});

test('block 1 does not take the tensors of block 10', () => {
  const tensors = fixtureTensors('opt-pre-norm');
  const [first] = tensors.values();
  if (first) tensors.set('model.decoder.layers.10.fc1.weight', first);
  expect(openFixture('opt-pre-norm', {}, tensors).blockTensors(1)).toHaveLength(16);
});

test.each([
  [
    { model_type: 'bloom2' },
    'config.unknown-family',
    { type: 'bloom2', known: expect.stringContaining('opt, llama') as unknown },
  ],
  [{ model_type: 'constructor' }, 'config.unknown-family', { type: 'constructor' }],
  [{ model_type: undefined }, 'config.field', { field: 'model_type' }],
  [{ quantization_config: { quant_method: 'gptq' } }, 'config.quantized', {}],
  [{ num_local_experts: 8 }, 'config.experts', { field: 'num_local_experts' }],
  [{ num_experts: 64 }, 'config.experts', { field: 'num_experts' }],
  [{ hidden_size: '8' }, 'config.field', { field: 'hidden_size' }],
  [{ hidden_size: 8.5 }, 'config.field', { field: 'hidden_size' }],
  [{ num_hidden_layers: -1 }, 'config.field', { field: 'num_hidden_layers' }],
  [{ do_layer_norm_before: 'yes' }, 'config.field', { field: 'do_layer_norm_before' }],
  [
    { activation_function: 'mish' },
    'config.activation',
    { value: 'mish', known: 'silu, swish, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu' },
  ],
  [{ num_attention_heads: 3 }, 'config.heads', { hidden: 8, heads: 3 }],
  [
    { vocab_size: 91 },
    'checkpoint.tensor-shape',
    { name: 'model.decoder.embed_tokens.weight', shape: '90x8', expected: '91x8' },
  ],
  [{ ffn_dim: 32 }, 'checkpoint.tensor-shape', { name: 'model.decoder.layers.0.fc1.weight', expected: '32x8' }],
  [
    { max_position_embeddings: 18 },
    'checkpoint.tensor-shape',
    { name: 'model.decoder.embed_positions.weight', shape: '18x8', expected: '20x8' },
  ],
  [{ num_hidden_layers: 3 }, 'checkpoint.tensor-missing', { name: 'model.decoder.layers.2.self_attn.q_proj.weight' }],
  [{ tie_word_embeddings: false }, 'checkpoint.tensor-missing', { name: 'lm_head.weight' }],
  [
    { word_embed_proj_dim: 6 },
    'checkpoint.tensor-shape',
    { name: 'model.decoder.embed_tokens.weight', expected: '90x6' },
  ],
])('refuses %o', (change, code, params) => {
  expect(() => openFixture('opt-pre-norm', change)).toThrow(
    expect.objectContaining({ code, params: expect.objectContaining(params) as unknown }),
  );
});

test('refuses the tensors of a mixture of experts', () => {
  const tensors = fixtureTensors('opt-pre-norm');
  const [first] = tensors.values();
  if (first) tensors.set('model.layers.0.mlp.experts.0.up_proj.weight', first);
  expect(() => openFixture('opt-pre-norm', {}, tensors)).toThrow(expect.objectContaining({ code: 'config.experts' }));
});

test('refuses a missing tensor and a missing bias by name', () => {
  const tensors = fixtureTensors('opt-untied');
  expect(() => openFixture('opt-untied', { enable_bias: true }, tensors)).toThrow(
    expect.objectContaining({
      code: 'checkpoint.tensor-missing',
      params: expect.objectContaining({ name: 'model.decoder.layers.0.self_attn.q_proj.bias' }) as unknown,
    }),
  );
});

test('opens a model with its dtype, and refuses what is no model', async () => {
  expect((await openModel(fixtureFolder('opt-pre-norm'))).dtype).toBe('F32');
  expect((await openModel(fixtureFolder('opt-post-norm'))).dtype).toBe('F16');
  expect((await openModel(fixtureFolder('opt-untied'))).dtype).toBe('BF16');
  const folder = testFolder('open');
  await expect(openModel(`${folder.path}/none`)).rejects.toMatchObject({ code: 'checkpoint.not-a-folder' });
  await expect(openModel(folder.path)).rejects.toMatchObject({ code: 'checkpoint.no-config' });
  for (const text of ['{', '[1]', 'null']) {
    folder.write('config.json', text);
    await expect(openModel(folder.path)).rejects.toMatchObject({ code: 'config.not-json' });
  }
  folder.remove();
});
