import { allLayers, weightShape } from '../families/family.ts';
import type { Weights } from './weights.ts';

/** A prunable layer of a model, whose weight is [rows, cols] = [out, in]. */
export interface LayerShape {
  /** The layer's name in the checkpoint, without `.weight`. */
  readonly name: string;
  readonly block: number;
  /** What the layer does, the same in every block: `q_proj`, `fc1` ... */
  readonly type: string;
  readonly rows: number;
  readonly cols: number;
}

/** The layers of the first so many blocks, in model order. */
export function layersOf({ family, tensors }: Weights, blocks: number): LayerShape[] {
  return allLayers(family, blocks).map((layer) => {
    const { name, type, block } = layer;
    return { name, block, type, ...weightShape(layer, tensors) };
  });
}

/** The same layers with their numbers of weights, which schedulers weigh them by. */
export function layerSizes(
  model: Weights,
  blocks: number,
): (Omit<LayerShape, 'rows' | 'cols'> & { weights: number })[] {
  return layersOf(model, blocks).map(({ rows, cols, ...layer }) => ({ ...layer, weights: rows * cols }));
}
