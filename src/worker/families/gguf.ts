import { TamisError } from '../../contract/errors.ts';
import type { Failure } from '../../contract/failure.ts';
import type { AttentionShape } from '../graph/operations.ts';

/** A value of a GGUF file's metadata, by its type there. */
export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] };

/** Which tensor of the file a tensor of the checkpoint becomes, and what is done to it. */
export interface TensorMapping {
  readonly name: string;
  /** The checkpoint's row for each row of the file, where llama.cpp wants them in another order. */
  readonly rows?: Uint32Array;
  /** The checkpoint holds it as [in, out]. */
  readonly transposed?: true;
  /** Added to each of its numbers. */
  readonly plus?: 1;
}

/** A vector that the file holds and the checkpoint does not. */
export interface ExtraVector {
  readonly name: string;
  readonly values: Float32Array;
}

/** How llama.cpp has a model: what its tensors are called there, the order of their rows, and what it must be told. */
export interface GgufDescription {
  readonly architecture: string;
  /** The setting of config.json that llama.cpp cannot compute; null where it computes the model as it is. */
  readonly refusal: Failure | null;
  /** What the file says of a model that is not refused; without `general.*` and the tokenizer. */
  readonly metadata: () => Record<string, GgufValue>;
  /** The tensors of the file that a tensor of the checkpoint becomes; none where llama.cpp does not know it. */
  readonly mappings: (name: string) => readonly TensorMapping[];
  readonly extras: () => readonly ExtraVector[];
}

/** What llama.cpp knows of a model's family. Error export.family where it does not know it. */
export function requireGguf({ family, gguf }: { family: string; gguf: GgufDescription | null }): GgufDescription {
  if (gguf === null) throw new TamisError('export.family', { family: family.toUpperCase() });
  return gguf;
}

/** The refusal of a setting of config.json. */
export function setting(field: string, value: unknown): Failure {
  return { code: 'export.setting', params: { field, value: JSON.stringify(value ?? null) } };
}

/** The sizes that llama.cpp asks every architecture for. */
export interface GgufSizes {
  readonly blocks: number;
  /** The longest sequence that llama.cpp computes as the model does. */
  readonly context: number;
  readonly hidden: number;
  /** The width in the middle of the MLP. */
  readonly inner: number;
  readonly vocab: number;
  readonly attention: AttentionShape;
}

export function sizeMetadata(
  architecture: string,
  { blocks, context, hidden, inner, vocab, attention }: GgufSizes,
): Record<string, GgufValue> {
  return {
    [`${architecture}.block_count`]: { u32: blocks },
    [`${architecture}.context_length`]: { u32: context },
    [`${architecture}.embedding_length`]: { u32: hidden },
    [`${architecture}.feed_forward_length`]: { u32: inner },
    [`${architecture}.vocab_size`]: { u32: vocab },
    [`${architecture}.attention.head_count`]: { u32: attention.heads },
    [`${architecture}.attention.head_count_kv`]: { u32: attention.kvHeads },
  };
}

/** The file's names of tensors, by what the checkpoint calls them. */
export interface GgufNames {
  /** What the names of the decoder's tensors begin with in checkpoints of the whole model. */
  readonly prefix: string;
  /** What the names of a block's tensors begin with, before its number. */
  readonly blocks: string;
  /** Tensors of the whole model. */
  readonly outer: Readonly<Record<string, string>>;
  /** Tensors of a block, by what stands between its number and `.weight` or `.bias`. */
  readonly inBlock: Readonly<Record<string, string>>;
}

/** The file's name of a tensor; null where llama.cpp does not know it. */
export function ggufName({ prefix, blocks, outer, inBlock }: GgufNames, name: string): string | null {
  const short = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  const [, at, block = '', part = '', kind] = /^(.+?)\.(\d+)\.(.+)\.(weight|bias)$/.exec(short) ?? [];
  if (at !== blocks) return outer[short] ?? null;
  const known = inBlock[part];
  return known === undefined ? null : `blk.${block}.${known}.${kind}`;
}

/** The place of each row of `rows` turned around: from the file's order to the checkpoint's, or back. */
export function inverseOf(rows: Uint32Array): Uint32Array {
  const inverse = new Uint32Array(rows.length);
  for (const [at, row] of rows.entries()) inverse[row] = at;
  return inverse;
}

/** The shape of a tensor in the file, whose weights are [out, in], whichever way the checkpoint holds them. */
export function mappedShape({ transposed }: TensorMapping, shape: readonly number[]): readonly number[] {
  return transposed ? shape.toReversed() : shape;
}
