import { z } from 'zod';

import type { Failure } from '../../contract/failure.ts';
import { activationOf, readConfig } from './config.ts';
import { type Described, ggufName, type GgufValue, setting, sizesOf } from './gguf-family.ts';

// What LLaMA and those that came after it have in common in llama.cpp.

/** Their layers, by the last parts of their names. */
export const layerNames = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};
export const normsBefore = { input_layernorm: 'attn_norm', post_attention_layernorm: 'ffn_norm' };
export const headNorms = { 'self_attn.q_norm': 'attn_q_norm', 'self_attn.k_norm': 'attn_k_norm' };

const outer = {
  'embed_tokens.weight': 'token_embd.weight',
  'norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

/** The file's name of a tensor of these families. */
export function decoderName(inBlock: Readonly<Record<string, string>>, name: string): string | null {
  const names = { blocks: /^layers\.(\d+)\.(.+)\.(weight|bias)$/, outer, inBlock };
  return ggufName(names, name.replace(/^model\./, ''));
}

/** `context`: tokens that llama.cpp sees as the model does. */
export function decoderMetadata(architecture: string, model: Described, context: number): Record<string, GgufValue> {
  const { size } = model.family.attention;
  const { rms_norm_eps: epsilon } = readConfig(model, z.object({ rms_norm_eps: z.number().positive().default(1e-6) }));
  return {
    ...sizesOf(architecture, model, { context, up: 'gate_proj' }),
    [`${architecture}.attention.key_length`]: { u32: size },
    [`${architecture}.attention.value_length`]: { u32: size },
    [`${architecture}.attention.layer_norm_rms_epsilon`]: { f32: epsilon },
  };
}

/** llama.cpp computes these with SiLU, whatever a config says. */
export function otherActivation(model: Described): Failure | null {
  const { hidden_act: name } = readConfig(model, z.object({ hidden_act: z.string().default('silu') }));
  return activationOf(name) === 'silu' ? null : setting('hidden_act', name);
}
