import { TamisError } from '../../../contract/errors.ts';
import type { Failure } from '../../../contract/failure.ts';
import type { Activation, Attention, AttentionShape } from '../../graph/operations.ts';
import type { Rotary } from '../../graph/tokens.ts';
import type { FamilyModel, LayerPath } from '../family.ts';
import type { GgufValue } from '../gguf.ts';

// What GPT-2 and those that were made after its pattern have in common: layer norms with biases, and an MLP of two layers. A family's own
// folder says which traits it has.

/** What the checkpoint calls its tensors, without `.weight` and `.bias`. */
export interface TensorNames {
  /** What all names but a head's begin with, in checkpoints of the decoder alone and in those of the whole model. */
  readonly prefixes: readonly [alone: string, whole: string];
  readonly embedding: string;
  /** A table of learned positions. */
  readonly positions?: string;
  readonly embeddingNorm?: string;
  /** Projections between the embedding's width and the blocks'. */
  readonly projectIn?: string;
  readonly projectOut?: string;
  readonly finalNorm?: string;
  /** A head of its own, by any of these. */
  readonly heads: readonly [string, ...string[]];
  /** What the names of a block's tensors begin with, before its number. */
  readonly blocks: string;
  readonly attentionNorm: string;
  readonly queriesKeysValues: QueryKeyValueNames;
  readonly attentionOut: string;
  readonly mlpNorm: string;
  readonly mlpUp: string;
  readonly mlpDown: string;
}

/** Queries, keys and values come from three layers, or from one whose rows are [heads, 3, size] or [3, heads, size] and which is compressed as the one that it is. */
export type QueryKeyValueNames =
  | { readonly rows: 'apart'; readonly names: readonly [q: string, k: string, v: string] }
  | { readonly rows: 'by-head' | 'by-part'; readonly names: readonly [string] };

/**
 * Where a block's norms stand, and what its results are added to:
 * - `pre-norm`: y = x + attention(norm x), then y + mlp(norm y)
 * - `post-norm`: y = norm(x + attention x), then norm(y + mlp y)
 * - `normed-residual`: as `pre-norm`, but with norm x and norm y in the place of the x and y that are added to
 * - `parallel`: x + attention(norm x) + mlp(norm x), each with a norm of its own
 */
export type Arrangement = 'pre-norm' | 'post-norm' | 'normed-residual' | 'parallel';

/** What a checkpoint of these families is. */
export interface Traits {
  readonly family: string;
  readonly defaultScheduler: FamilyModel['defaultScheduler'];
  readonly names: TensorNames;
  /** Names of tensors that checkpoints hold and that are no weights. */
  readonly ignored?: RegExp;
  readonly blocks: number;
  readonly hidden: number;
  /** The width in the middle of the MLP. */
  readonly inner: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  /** The embedding's width, where it is not `hidden`. */
  readonly embeddingWidth?: number;
  /** Rows at the start of the table of learned positions that no token uses. */
  readonly positionOffset?: number;
  readonly shape: AttentionShape;
  /** How a block attends, beside its shape. */
  readonly attention?: (block: number) => Omit<Attention, keyof AttentionShape>;
  /** Turns queries and keys. */
  readonly rotary?: Rotary;
  readonly arrangement: Arrangement;
  readonly activation: Activation;
  readonly epsilon: number;
  /** Whether norms have weights and biases; where they have none they only normalize. */
  readonly affine?: boolean;
  /** Whether the layers have biases. */
  readonly biases?: { readonly attention: boolean; readonly mlp: boolean };
  /** The checkpoint holds the layers' weights as [in, out]. */
  readonly transposed?: true;
  /** The head's matrix is the embedding's. */
  readonly tied: boolean;
  /** null where llama.cpp does not know the family. */
  readonly gguf: GgufTraits | null;
}

/** How llama.cpp has such a checkpoint, beside what follows from its other traits. */
export interface GgufTraits {
  readonly architecture: string;
  /** The setting of config.json that llama.cpp cannot compute. */
  readonly refusal: Failure | null;
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  /** llama.cpp takes no embedding for a head: a tied one stands in the file twice. */
  readonly ownHead?: true;
}

/** Heads that each have queries, keys and values. Error config.heads where they do not divide the width. */
export function evenHeads(hidden: number, heads: number): AttentionShape {
  if (hidden % heads !== 0) throw new TamisError('config.heads', { hidden, heads });
  return { heads, kvHeads: heads, size: hidden / heads };
}

/** A layer of a block, [rows, cols]. */
export interface BlockLayer extends LayerPath {
  readonly rows: number;
  readonly cols: number;
  readonly hasBias: boolean;
}

/** The layers of a block, in the order in which they are computed. */
export function blockLayers({ names, hidden, inner, biases }: Traits): BlockLayer[] {
  const { queriesKeysValues: qkv } = names;
  const { attention, mlp } = biases ?? { attention: true, mlp: true };
  const rows = qkv.rows === 'apart' ? hidden : 3 * hidden;
  return [
    ...qkv.names.map((path) => ({ path, tap: 'attn_in', rows, cols: hidden, hasBias: attention })),
    { path: names.attentionOut, tap: 'attn_out', sum: 'attn_sum', rows: hidden, cols: hidden, hasBias: attention },
    { path: names.mlpUp, tap: 'mlp_in', rows: inner, cols: hidden, hasBias: mlp },
    { path: names.mlpDown, tap: 'mlp_mid', sum: 'mlp_sum', rows: hidden, cols: inner, hasBias: mlp },
  ];
}
