import { z } from 'zod';

import { TamisError } from '../../../contract/errors.ts';
import type { Failure } from '../../../contract/failure.ts';
import type { Activation, Attention, AttentionShape } from '../../graph/operations.ts';
import type { Rotary } from '../../graph/tokens.ts';
import type { GgufValue } from '../gguf.ts';
import { rotaryOf, type Rope } from '../rope/rope.ts';

// What LLaMA and those that came after it have in common: RMS norms, rotary positions, grouped queries, a gated MLP, and the names of
// their tensors. A family's own folder says which traits it has.

/** What a class of transformers' takes where config.json says nothing. */
export interface SizeDefaults {
  readonly vocab: number;
  readonly hidden: number;
  readonly inner: number;
  readonly blocks: number;
  readonly heads: number;
  readonly kvHeads: number | null;
}

/** The sizes, as all of these families name them; no `num_key_value_heads` means as many as there are of queries. */
export function sizeFields(defaults: SizeDefaults) {
  return {
    vocab_size: z.int().positive().default(defaults.vocab),
    hidden_size: z.int().positive().default(defaults.hidden),
    intermediate_size: z.int().positive().default(defaults.inner),
    num_hidden_layers: z.int().positive().default(defaults.blocks),
    num_attention_heads: z.int().positive().default(defaults.heads),
    num_key_value_heads: z.int().positive().nullable().default(defaults.kvHeads),
    head_dim: z.int().positive().multipleOf(2).nullish(),
    rms_norm_eps: z.number().positive().default(1e-6),
  };
}
export type Sizes = z.infer<z.ZodObject<ReturnType<typeof sizeFields>>>;

/** The layers of a block, in the order in which they are computed. */
export const layerTypes = [
  { path: 'self_attn.q_proj', tap: 'attn_in' },
  { path: 'self_attn.k_proj', tap: 'attn_in' },
  { path: 'self_attn.v_proj', tap: 'attn_in' },
  { path: 'self_attn.o_proj', tap: 'attn_out', sum: 'attn_sum' },
  { path: 'mlp.gate_proj', tap: 'mlp_in' },
  { path: 'mlp.up_proj', tap: 'mlp_in' },
  { path: 'mlp.down_proj', tap: 'mlp_mid', sum: 'mlp_sum' },
] as const;
export type LayerPath = (typeof layerTypes)[number]['path'];

/** How a block's tokens see each other. */
export interface BlockAttention extends Attention {
  readonly rotary: Omit<Rotary, 'heads'>;
}

/** What a checkpoint of these families is. */
export interface Traits {
  readonly family: string;
  readonly sizes: Sizes;
  readonly maxSeqlen: number;
  readonly activation: Activation;
  /** The head's matrix is the embedding's. */
  readonly tied: boolean;
  readonly attention: (block: number) => BlockAttention;
  /** Which layers have a bias. */
  readonly biases?: readonly LayerPath[];
  /** RMS norms of queries and keys, over each head. */
  readonly headNorms?: boolean;
  /** Attention and MLP are normalized before and after, not before only. */
  readonly normsAround?: boolean;
  /** Added to the weights of the norms. */
  readonly normOffset?: 0 | 1;
  /** What embedded tokens are multiplied by. */
  readonly embeddingScale?: number;
  /** Logits become cap * tanh(logits / cap). */
  readonly logitCap?: number | null | undefined;
  readonly gguf: GgufTraits;
}

/** How llama.cpp has such a checkpoint, beside what follows from its other traits. */
export interface GgufTraits {
  readonly architecture: string;
  /** The setting of config.json that llama.cpp cannot compute. */
  readonly refusal: Failure | null;
  /** The rotary positions, those of the blocks that see everything where there are two kinds. */
  readonly rope: Rope;
  /** llama.cpp knows windows in this architecture. In others the file is for as many tokens as all see each other. */
  readonly windows?: {
    /** The rotary positions of the blocks with a window, where there are two kinds. */
    readonly rope?: Rope;
  };
  /** llama.cpp turns neighbours, and not entries i and i + size / 2: rows of queries and keys are reordered. */
  readonly turnsNeighbours?: true;
  /** llama.cpp has no place for a head of its own. */
  readonly alwaysTied?: true;
  readonly metadata?: Readonly<Record<string, GgufValue>>;
}

export const attentionLayers = [
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj',
] as const;
export const mlpLayers = ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj'] as const;

/** Refuses heads that do not divide what they share. */
export function attentionShape(sizes: Sizes): AttentionShape {
  const heads = sizes.num_attention_heads;
  const kvHeads = sizes.num_key_value_heads ?? heads;
  if (!sizes.head_dim && sizes.hidden_size % heads !== 0)
    throw new TamisError('config.heads', { hidden: sizes.hidden_size, heads });
  if (heads % kvHeads !== 0) throw new TamisError('config.kv-heads', { heads, kvHeads });
  return { heads, kvHeads, size: sizes.head_dim ?? sizes.hidden_size / heads };
}

/** The rotary positions of a family whose heads turn as a whole. */
export function wholeHeads(rope: Rope, { size }: AttentionShape): BlockAttention['rotary'] {
  const rotary = rotaryOf(rope, size);
  if (rotary.turned !== size) throw new TamisError('config.rope-partial', { turned: rotary.turned, size });
  return rotary;
}
