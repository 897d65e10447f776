import { z } from 'zod';

import { readConfig } from '../config.ts';
import { ggufName, partByPart, setting, sizesOf, type GgufFamily } from '../gguf-family.ts';

const architecture = 'bloom';
const names = {
  blocks: /^h\.(\d+)\.(.+)\.(weight|bias)$/,
  outer: {
    'word_embeddings.weight': 'token_embd.weight',
    'word_embeddings_layernorm.weight': 'token_embd_norm.weight',
    'word_embeddings_layernorm.bias': 'token_embd_norm.bias',
    'ln_f.weight': 'output_norm.weight',
    'ln_f.bias': 'output_norm.bias',
    'lm_head.weight': 'output.weight',
  },
  inBlock: {
    input_layernorm: 'attn_norm',
    'self_attention.query_key_value': 'attn_qkv',
    'self_attention.dense': 'attn_output',
    post_attention_layernorm: 'ffn_norm',
    'mlp.dense_h_to_4h': 'ffn_up',
    'mlp.dense_4h_to_h': 'ffn_down',
  },
};
const settings = z.object({
  layer_norm_epsilon: z.number().positive().default(1e-5),
  apply_residual_connection_post_layernorm: z.boolean().default(false),
});

export const bloom: GgufFamily = {
  architecture,
  refusal(model) {
    const field = 'apply_residual_connection_post_layernorm';
    return readConfig(model, settings)[field] ? setting(field, true) : null;
  },
  metadata: (model) => ({
    ...sizesOf(architecture, model, { context: model.family.maxSeqlen, up: 'dense_h_to_4h' }),
    [`${architecture}.attention.layer_norm_epsilon`]: { f32: readConfig(model, settings).layer_norm_epsilon },
  }),
  places({ family }, name) {
    const known = ggufName(names, name.replace(/^transformer\./, ''));
    if (known === null) return [];
    const { heads, size } = family.attention;
    return [name.includes('.query_key_value.') ? { name: known, rows: partByPart(heads, size) } : { name: known }];
  },
  extras: () => [],
};
