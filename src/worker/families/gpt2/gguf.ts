import { z } from 'zod';

import { activationOf, readConfig } from '../config.ts';
import { ggufName, setting, sizesOf, type GgufFamily } from '../gguf-family.ts';

const architecture = 'gpt2';
const names = {
  blocks: /^h\.(\d+)\.(.+)\.(weight|bias)$/,
  outer: {
    'wte.weight': 'token_embd.weight',
    'wpe.weight': 'position_embd.weight',
    'ln_f.weight': 'output_norm.weight',
    'ln_f.bias': 'output_norm.bias',
    'lm_head.weight': 'output.weight',
  },
  inBlock: {
    ln_1: 'attn_norm',
    'attn.c_attn': 'attn_qkv',
    'attn.c_proj': 'attn_output',
    ln_2: 'ffn_norm',
    'mlp.c_fc': 'ffn_up',
    'mlp.c_proj': 'ffn_down',
  },
};
const settings = z.object({
  activation_function: z.string().default('gelu_new'),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
});

/** llama.cpp computes GELU by its approximation with tanh. */
export const gpt2: GgufFamily = {
  architecture,
  refusal(model) {
    const config = readConfig(model, settings);
    if (!config.scale_attn_weights) return setting('scale_attn_weights', false);
    if (config.scale_attn_by_inverse_layer_idx) return setting('scale_attn_by_inverse_layer_idx', true);
    const isGelu = activationOf(config.activation_function).startsWith('gelu');
    return isGelu ? null : setting('activation_function', config.activation_function);
  },
  metadata: (model) => ({
    ...sizesOf(architecture, model, { context: model.family.maxSeqlen, up: 'c_fc' }),
    [`${architecture}.attention.layer_norm_epsilon`]: { f32: readConfig(model, settings).layer_norm_epsilon },
  }),
  places(_, name) {
    const known = ggufName(names, name.replace(/^transformer\./, ''));
    if (known === null) return [];
    return [/\.c_\w+\.weight$/.test(name) ? { name: known, transposed: true } : { name: known }];
  },
  extras: () => [],
};
