import { activationOf, readConfig } from '../config.ts';
import { gptNeoxConfigSchema, gptNeoxRope } from './model.ts';
import { rotaryOf } from '../rope.ts';
import { ggufName, partByPart, setting, sizesOf, type GgufFamily } from '../gguf-family.ts';
import { plainRopeRefusal, ropeMetadata } from '../gguf-rope.ts';

const architecture = 'gptneox';
const names = {
  blocks: /^layers\.(\d+)\.(.+)\.(weight|bias)$/,
  outer: {
    'embed_in.weight': 'token_embd.weight',
    'final_layer_norm.weight': 'output_norm.weight',
    'final_layer_norm.bias': 'output_norm.bias',
    'embed_out.weight': 'output.weight',
    'lm_head.weight': 'output.weight',
  },
  inBlock: {
    input_layernorm: 'attn_norm',
    'attention.query_key_value': 'attn_qkv',
    'attention.dense': 'attn_output',
    post_attention_layernorm: 'ffn_norm',
    'mlp.dense_h_to_4h': 'ffn_up',
    'mlp.dense_4h_to_h': 'ffn_down',
  },
};

/** llama.cpp computes GELU by its approximation with tanh. */
export const gptNeox: GgufFamily = {
  architecture,
  refusal(model) {
    const config = readConfig(model, gptNeoxConfigSchema);
    if (!config.attention_bias) return setting('attention_bias', false);
    const isGelu = activationOf(config.hidden_act).startsWith('gelu');
    return isGelu ? plainRopeRefusal(gptNeoxRope(config)) : setting('hidden_act', config.hidden_act);
  },
  metadata(model) {
    const config = readConfig(model, gptNeoxConfigSchema);
    const rope = gptNeoxRope(config);
    return {
      ...sizesOf(architecture, model, { context: model.family.maxSeqlen, up: 'dense_h_to_4h' }),
      [`${architecture}.attention.layer_norm_epsilon`]: { f32: config.layer_norm_eps },
      [`${architecture}.use_parallel_residual`]: { bool: config.use_parallel_residual },
      ...ropeMetadata(architecture, rope, rotaryOf(rope, model.family.attention.size).turned),
    };
  },
  places({ family, tensors }, name) {
    const known = ggufName(names, name.replace(/^gpt_neox\./, ''));
    if (known === null) return [];
    const { heads, size } = family.attention;
    if (name.includes('.query_key_value.')) return [{ name: known, rows: partByPart(heads, size) }];
    const isHeadToo =
      known === 'token_embd.weight' && !tensors.has('embed_out.weight') && !tensors.has('lm_head.weight');
    return [{ name: known }, ...(isHeadToo ? [{ name: 'output.weight' }] : [])];
  },
  extras: () => [],
};
