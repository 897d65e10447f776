import type { Failure } from '../../../contract/failure.ts';
import { activationOf } from '../config.ts';
import { ggufName, setting, sizeMetadata, type GgufDescription, type GgufValue, type TensorMapping } from '../gguf.ts';
import { ropeFactors, ropeMetadata } from '../rope/gguf.ts';
import { attentionShape, type Traits } from './traits.ts';

const outer = {
  'embed_tokens.weight': 'token_embd.weight',
  'norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};
const layers = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};
const normsBefore = { input_layernorm: 'attn_norm', post_attention_layernorm: 'ffn_norm' };
const normsAround = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};
const headNorms = { 'self_attn.q_norm': 'attn_q_norm', 'self_attn.k_norm': 'attn_k_norm' };

/** How llama.cpp has a checkpoint with these traits. */
export function describeGguf(traits: Traits): GgufDescription {
  const { architecture, refusal, rope, alwaysTied } = traits.gguf;
  const { size } = attentionShape(traits.sizes);
  const inBlock = {
    ...layers,
    ...(traits.normsAround ? normsAround : normsBefore),
    ...(traits.headNorms && headNorms),
  };
  return {
    architecture,
    refusal,
    metadata: () => ({
      ...sizes(traits),
      ...ropeMetadata(architecture, rope, size),
      ...windows(traits),
      ...traits.gguf.metadata,
    }),
    mappings(name) {
      const known = ggufName({ prefix: 'model.', blocks: 'layers', outer, inBlock }, name);
      if (known === null || (alwaysTied && known === outer['lm_head.weight'])) return [];
      return [{ name: known, ...reordered(traits, name), ...whole(traits, known) }];
    },
    extras: () => ropeFactors(rope, size),
  };
}

function sizes({ sizes, attention, maxSeqlen, gguf }: Traits): Record<string, GgufValue> {
  const { architecture } = gguf;
  const shape = attentionShape(sizes);
  const blocks = sizes.num_hidden_layers;
  const widths = Array.from({ length: blocks }, (_, block) => attention(block).window ?? Infinity);
  const context = gguf.windows ? maxSeqlen : Math.min(maxSeqlen, ...widths);
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocab } = sizes;
  return {
    ...sizeMetadata(architecture, { blocks, context, hidden, inner, vocab, attention: shape }),
    [`${architecture}.attention.key_length`]: { u32: shape.size },
    [`${architecture}.attention.value_length`]: { u32: shape.size },
    [`${architecture}.attention.layer_norm_rms_epsilon`]: { f32: sizes.rms_norm_eps },
  };
}

/** What llama.cpp is told of the blocks with a window, of which the first is one. */
function windows({ attention, gguf: { architecture, windows } }: Traits): Record<string, GgufValue> {
  if (windows === undefined) return {};
  const { window } = attention(0);
  return {
    ...(windows.rope && { [`${architecture}.rope.freq_base_swa`]: { f32: windows.rope.rope_theta } }),
    ...(window !== undefined && { [`${architecture}.attention.sliding_window`]: { u32: window } }),
  };
}

function reordered({ sizes, gguf }: Traits, name: string): Pick<TensorMapping, 'rows'> {
  if (!gguf.turnsNeighbours) return {};
  const { heads, kvHeads, size } = attentionShape(sizes);
  if (/\.self_attn\.q_proj\.(weight|bias)$/.test(name)) return { rows: pairwise(heads, size) };
  if (/\.self_attn\.k_proj\.(weight|bias)$/.test(name)) return { rows: pairwise(kvHeads, size) };
  return {};
}

/** The checkpoint's row for each row of the file: pairs that a rotary position turns together, i and i + size / 2, become neighbours. */
export function pairwise(heads: number, size: number): Uint32Array {
  return Uint32Array.from({ length: heads * size }, (_, row) => {
    const [head, within] = [Math.floor(row / size), row % size];
    return head * size + (within % 2) * (size / 2) + Math.floor(within / 2);
  });
}

/** Weights of norms that the checkpoint has less one are whole in the file. */
function whole({ normOffset }: Traits, known: string): Pick<TensorMapping, 'plus'> {
  return normOffset === 1 && known.endsWith('norm.weight') ? { plus: 1 } : {};
}

/** llama.cpp computes most of these with SiLU, whatever a config says. */
export function otherActivation({ hidden_act: name }: { hidden_act: string }): Failure | null {
  return activationOf(name) === 'silu' ? null : setting('hidden_act', name);
}
