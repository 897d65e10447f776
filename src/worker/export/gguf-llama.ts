import type { AttentionShape } from '../graph/operations.ts';
import type { Model } from '../model/open.ts';
import { readConfig } from '../families/config.ts';
import { llamaConfigSchema } from '../families/llama.ts';
import { ropeOf } from '../families/rope.ts';
import type { GgufValue } from './gguf-header.ts';

// How llama.cpp names the parts of a LLaMA, and in which order it wants the rows of its queries and keys.

const outer: Readonly<Record<string, string>> = {
  'embed_tokens.weight': 'token_embd.weight',
  'norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

const inBlock: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** Tables that older checkpoints hold and every program computes for itself. */
export function isDerived(name: string): boolean {
  return name.endsWith('.rotary_emb.inv_freq');
}

/** A tensor's name in the file; null of one that llama.cpp has no place for. */
export function ggufName(name: string): string | null {
  const own = name.replace(/^model\./, '');
  const [, block, part = '', kind] = /^layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(own) ?? [];
  if (block === undefined) return outer[own] ?? null;
  const known = inBlock[part];
  return known === undefined ? null : `blk.${block}.${known}.${kind}`;
}

/** The heads whose rows are reordered: pairs that a rotary position turns together, i and i + size / 2, become neighbours. */
export function turnedHeads({ heads, kvHeads }: AttentionShape, name: string): number | null {
  if (/\.self_attn\.q_proj\.(weight|bias)$/.test(name)) return heads;
  if (/\.self_attn\.k_proj\.(weight|bias)$/.test(name)) return kvHeads;
  return null;
}

/** The checkpoint's row for each row of the file. */
export function rowsInFile(heads: number, size: number): Uint32Array {
  return Uint32Array.from({ length: heads * size }, (_, row) => {
    const [head, within] = [Math.floor(row / size), row % size];
    return head * size + (within % 2) * (size / 2) + Math.floor(within / 2);
  });
}

/** The file's row for each row of the checkpoint. */
export function rowsInCheckpoint(heads: number, size: number): Uint32Array {
  const rows = new Uint32Array(heads * size);
  for (const [inFile, inCheckpoint] of rowsInFile(heads, size).entries()) rows[inCheckpoint] = inFile;
  return rows;
}

export function llamaMetadata({ folder, config, family, tensors }: Model): Record<string, GgufValue> {
  const settings = readConfig({ folder, config }, llamaConfigSchema);
  const { heads, kvHeads, size } = family.attention;
  const gate = tensors.get(`${family.layers(0).find(({ type }) => type === 'gate_proj')?.name ?? ''}.weight`);
  return {
    'llama.block_count': { u32: family.blocks },
    'llama.context_length': { u32: family.maxSeqlen },
    'llama.embedding_length': { u32: family.hidden },
    'llama.feed_forward_length': { u32: gate?.shape[0] ?? 0 },
    'llama.vocab_size': { u32: family.vocab },
    'llama.attention.head_count': { u32: heads },
    'llama.attention.head_count_kv': { u32: kvHeads },
    'llama.attention.key_length': { u32: size },
    'llama.attention.value_length': { u32: size },
    'llama.attention.layer_norm_rms_epsilon': { f32: settings.rms_norm_eps },
    'llama.rope.dimension_count': { u32: size },
    'llama.rope.freq_base': { f32: ropeOf(settings).rope_theta },
  };
}
