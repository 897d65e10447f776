import { TamisError } from '../../contract/errors.ts';
import type { GraphBuilder, Rows, Value } from '../graph/builder.ts';
import type { AttentionShape } from '../graph/operations.ts';
import type { Tokens } from '../graph/tokens.ts';
import type { TensorInfo, WeightName } from '../native.ts';
import type { GgufDescription } from './gguf.ts';

/** A prunable linear weight of a block. */
export interface Layer {
  /** As in the checkpoint, without `.weight`. */
  readonly name: string;
  /** The layer's input; layers that read the same input have the same tap. */
  readonly tap: string;
  /** What the layer does, the same in every block: `q_proj`, `fc1` ... */
  readonly type: string;
  /** The checkpoint holds the weight as [in, out]; everywhere else it is [out, in]. */
  readonly transposed?: true;
  /** The tap of the residual stream [tokens, rows] that this layer's output has just been added to, as it is; no other layer reads this one's tap. */
  readonly sum?: string | undefined;
}

/** What a family says about one checkpoint: its sizes, its layers' names, how it is computed in the graph builder's words, and how llama.cpp has it. */
export interface FamilyModel {
  readonly family: string;
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  /** The same in every block. */
  readonly attention: AttentionShape;
  readonly defaultScheduler: 'paper' | 'relative-by-type';
  /** Names of tensors that checkpoints hold and that are no weights. */
  readonly ignored?: RegExp | undefined;
  /** Name of the tensor that gives the logits, [vocab, width of the embedding]: a head of its own, or the embedding. */
  readonly headWeight: string;
  /** null where llama.cpp does not know the family. */
  readonly gguf: GgufDescription | null;
  /** The prunable layers of a block, in the order in which they are computed. */
  layers(block: number): readonly Layer[];
  /** Every tensor of the block that the checkpoint has. */
  blockTensors(block: number): readonly string[];
  /** Whole-number ids [tokens] -> [tokens, hidden]. */
  embed(g: GraphBuilder, ids: Value, tokens: Tokens): Value;
  /** [tokens, hidden] -> [tokens, hidden]; calls `tap` with every layer's input [tokens, cols] and every sum [tokens, rows]. */
  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: (name: string, value: Value) => void): Value;
  /** What comes after the last block and before the vocabulary: [tokens, hidden] -> [tokens, width of the embedding]. */
  norm(g: GraphBuilder, x: Value): Value;
  /** The result of `norm` -> logits [tokens, rows] of all of the vocabulary or a range of it. */
  logits(g: GraphBuilder, x: Value, vocabulary?: Rows): Value;
}

/** What a family gets to see of a checkpoint. */
export interface Source {
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Refuses a tensor that is missing or of another shape than the config says. */
export function requireTensor(source: Source, name: string, shape: readonly number[]): void {
  const info = source.tensors.get(name);
  if (!info) throw new TamisError('checkpoint.tensor-missing', { path: source.folder, name });
  if (info.shape.length !== shape.length || info.shape.some((size, i) => size !== shape[i])) {
    throw new TamisError('checkpoint.tensor-shape', { name, shape: info.shape.join('x'), expected: shape.join('x') });
  }
}

/**
 * The tensor that gives the logits: a head of its own, or the embedding where there is none and the config ties the two.
 * @param names what the family calls a head of its own
 */
export function headTensor(
  { tensors }: Pick<Source, 'tensors'>,
  { embedding, tied, names }: { embedding: string; tied: boolean; names: readonly [string, ...string[]] },
): string {
  return names.find((name) => tensors.has(name)) ?? (tied ? embedding : names[0]);
}

/** Where a layer lies in its block, and what it reads. */
export interface LayerPath {
  readonly path: string;
  readonly tap: string;
  readonly sum?: string | undefined;
}

/** The layers of the block whose tensors' names begin with `at`. A layer's type is the last part of its path, or all of it where two end alike. */
export function layersAt(at: string, layers: readonly LayerPath[]): Layer[] {
  const lastOf = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
  const ends = layers.map(({ path }) => lastOf(path));
  return layers.map(({ path, tap, sum }) => {
    const last = lastOf(path);
    const type = ends.indexOf(last) === ends.lastIndexOf(last) ? last : path;
    return { name: `${at}${path}`, tap, type, ...(sum !== undefined && { sum }) };
  });
}

/** The layers of the first so many blocks, in the order in which they are computed. */
export function allLayers(family: FamilyModel, blocks = family.blocks): (Layer & { readonly block: number })[] {
  return Array.from({ length: blocks }, (_, block) =>
    family.layers(block).map((layer) => ({ ...layer, block })),
  ).flat();
}

/** A layer's weight, as the native core asks for it. */
export function weightName({ name, transposed }: Pick<Layer, 'name' | 'transposed'>): WeightName {
  return { name: `${name}.weight`, transposed };
}

/** A layer's weight is [rows, cols] = [out, in], whichever way the checkpoint holds it. */
export function weightShape(
  { name, transposed }: Pick<Layer, 'name' | 'transposed'>,
  tensors: Source['tensors'],
): { rows: number; cols: number } {
  const [first = 0, second = 0] = tensors.get(`${name}.weight`)?.shape ?? [];
  return transposed ? { rows: second, cols: first } : { rows: first, cols: second };
}

/** The names of the tensors that begin with `at`. */
export function tensorsAt(at: string, tensors: Source['tensors']): string[] {
  return [...tensors.keys()].filter((name) => name.startsWith(at));
}
