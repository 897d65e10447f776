import type { FamilyModel } from '../families/family.ts';
import type { Rows } from '../graph/builder.ts';
import type { TensorInfo } from '../native.ts';

/** What is computed with a model: its family's description and where its tensors lie. */
export interface Weights {
  readonly family: FamilyModel;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/**
 * Ranges of the vocabulary whose weights are no larger than a block's and pass no tensor of 1 GiB: the head then needs no more
 * memory than the blocks.
 */
export function vocabularyRanges({ family, tensors }: Weights): Rows[] {
  const block = family.layers(0).reduce((sum, { name }) => sum + elements(tensors.get(`${name}.weight`)), 0);
  const count = Math.ceil((family.vocab * family.hidden) / Math.min(block, 2 ** 28));
  const size = Math.ceil(family.vocab / count);
  return Array.from({ length: count }, (_, i) => ({ start: i * size, end: Math.min((i + 1) * size, family.vocab) }));
}

/** How many numbers a tensor has; none where there is no tensor. */
export function elements(info: Pick<TensorInfo, 'shape'> | undefined): number {
  return info?.shape.reduce((a, b) => a * b, 1) ?? 0;
}
