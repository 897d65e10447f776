import type { Failure } from '../../contract/failure.ts';
import { weightShape, type FamilyModel, type Source } from './family.ts';

/** What a family's file sees of a model: no weight is read. */
export interface Described extends Source {
  readonly family: FamilyModel;
}

/** A value of a GGUF file's metadata, by its type there. */
export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] };

/** Where a tensor of the checkpoint stands in the file. */
export interface Place {
  readonly name: string;
  /** The checkpoint's row for each row of the file, where llama.cpp wants them in another order. */
  readonly rows?: Uint32Array;
  /** The checkpoint holds it as [in, out]. */
  readonly transposed?: true;
  /** Added to each of its numbers. */
  readonly plus?: 1;
}

/** A vector that the file holds and the checkpoint does not. */
export interface Extra {
  readonly name: string;
  readonly values: Float32Array;
}

/** How llama.cpp has a family: the names of its tensors, the order of their rows, and what it must be told. */
export interface GgufFamily {
  readonly architecture: string;
  /** What of config.json llama.cpp cannot do; null of a model that it computes as it is. */
  refusal(model: Described): Failure | null;
  /** Of a model that fits; without `general.*` and the tokenizer. */
  metadata(model: Described): Record<string, GgufValue>;
  /** Every place of a tensor; none of one that llama.cpp has no place for. */
  places(model: Described, name: string): readonly Place[];
  extras(model: Described): readonly Extra[];
}

/** The refusal of a setting of config.json. */
export function setting(field: string, value: unknown): Failure {
  return { code: 'export.setting', params: { field, value: JSON.stringify(value ?? null) } };
}

/** The sizes that llama.cpp asks every architecture for. `up`: the type of the layer that makes the MLP's middle. */
export function sizesOf(
  architecture: string,
  model: Described,
  { context, up }: { context: number; up: string },
): Record<string, GgufValue> {
  const { family, tensors } = model;
  const { heads, kvHeads } = family.attention;
  const layer = family.layers(0).find(({ type }) => type === up);
  if (!layer) throw new TypeError(`no layer ${up}`);
  return {
    [`${architecture}.block_count`]: { u32: family.blocks },
    [`${architecture}.context_length`]: { u32: context },
    [`${architecture}.embedding_length`]: { u32: family.hidden },
    [`${architecture}.feed_forward_length`]: { u32: weightShape(layer, tensors).rows },
    [`${architecture}.vocab_size`]: { u32: family.vocab },
    [`${architecture}.attention.head_count`]: { u32: heads },
    [`${architecture}.attention.head_count_kv`]: { u32: kvHeads },
  };
}

/** Names of tensors: of the whole model as they are, of a block by what stands between its number and `.weight` or `.bias`. */
export interface Names {
  readonly blocks: RegExp;
  readonly outer: Readonly<Record<string, string>>;
  readonly inBlock: Readonly<Record<string, string>>;
}

/** The file's name of a tensor; null of one that it has no place for. */
export function ggufName({ blocks, outer, inBlock }: Names, name: string): string | null {
  const [, block, part = '', kind] = blocks.exec(name) ?? [];
  if (block === undefined) return outer[name] ?? null;
  const known = inBlock[part];
  return known === undefined ? null : `blk.${block}.${known}.${kind}`;
}

/** The place of each row of `rows` turned around: from the file's order to the checkpoint's, or back. */
export function inverseOf(rows: Uint32Array): Uint32Array {
  const inverse = new Uint32Array(rows.length);
  for (const [at, row] of rows.entries()) inverse[row] = at;
  return inverse;
}

/** Rows [heads, 3, size] as [3, heads, size]: those of queries, keys and values one after another. */
export function partByPart(heads: number, size: number): Uint32Array {
  return Uint32Array.from({ length: 3 * heads * size }, (_, row) => {
    const [part, within] = [Math.floor(row / (heads * size)), row % (heads * size)];
    const [head, entry] = [Math.floor(within / size), within % size];
    return (head * 3 + part) * size + entry;
  });
}

/** Of a tensor in the file, whose weights are [out, in], whichever way the checkpoint holds them. */
export function shapeAt({ transposed }: Place, shape: readonly number[]): readonly number[] {
  return transposed ? shape.toReversed() : shape;
}
