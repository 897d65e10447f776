import { allLayers } from '../families/family.ts';
import { controlled } from '../native.ts';
import { openModel } from './open.ts';

export interface TensorSummary {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly zeros: number;
  readonly elements: number;
  /** A linear weight that Tamis prunes. */
  readonly layer: boolean;
}

export interface ModelSummary {
  readonly folder: string;
  readonly family: string;
  readonly dtype: string;
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  readonly parameters: number;
  readonly bytes: number;
  /** The share of zeros among the layers' weights. */
  readonly sparsity: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorSummary[];
}

/** The exact zeros of each tensor, as its weights have been read. */
export async function* countZeros(
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<{ name: string; zeros: number }, void> {
  const { checkpoint, tensors } = await openModel(folder);
  for (const name of tensors.keys()) {
    const { zeros } = await controlled(signal, (control) => checkpoint.scan(name, control));
    yield { name, zeros };
  }
}

/** What is in a checkpoint: its config, and every tensor with its zeros counted. */
export async function inspect(folder: string, signal: AbortSignal): Promise<ModelSummary> {
  const { family, checkpoint, tensors, dtype, config } = await openModel(folder);
  const layers = new Set(allLayers(family).map(({ name }) => `${name}.weight`));
  const summaries: TensorSummary[] = [];
  for (const { name, dtype: type, shape, bytes } of tensors.values()) {
    const { zeros, elements } = await controlled(signal, (control) => checkpoint.scan(name, control));
    summaries.push({ name, dtype: type, shape, bytes, zeros, elements, layer: layers.has(name) });
  }
  const sum = (of: (tensor: TensorSummary) => number, from = summaries): number =>
    from.reduce((total, tensor) => total + of(tensor), 0);
  const pruned = summaries.filter((tensor) => tensor.layer);
  return {
    folder,
    family: family.family,
    dtype,
    blocks: family.blocks,
    hidden: family.hidden,
    vocab: family.vocab,
    maxSeqlen: family.maxSeqlen,
    parameters: sum(({ elements }) => elements),
    bytes: sum(({ bytes }) => bytes),
    sparsity: sum(({ zeros }) => zeros, pruned) / sum(({ elements }) => elements, pruned),
    config,
    tensors: summaries,
  };
}
