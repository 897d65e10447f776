import { weightShape } from '../families/family.ts';
import { sum, type LayerShape } from './costs.ts';
import { elements, vocabularyRanges, type Weights } from './weights.ts';

export interface NamedLayer extends LayerShape {
  readonly name: string;
}

/** What the costs of a model depend on. All blocks have the shapes of the first. */
export interface ModelShape {
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  /** Width of the embedding, which the vocabulary's matrix [vocab, width] has too. */
  readonly width: number;
  /** Rows of the vocabulary's matrix that the head holds at once, and how often it goes over all tokens for that. */
  readonly vocabularyRows: number;
  readonly vocabularyPasses: number;
  readonly parameters: number;
  /** The size of all tensors as they are stored. */
  readonly bytes: number;
  /** Bytes of one weight of a layer as it is stored. */
  readonly weightBytes: number;
  /** The prunable layers of the first block, in the order in which they are computed. */
  readonly layers: readonly NamedLayer[];
  /** Elements of a block's other tensors: biases and norms. */
  readonly otherElements: number;
}

export function shapeOf(model: Weights): ModelShape {
  const { family, tensors } = model;
  const ranges = vocabularyRanges(model);
  const all = [...tensors.values()];
  const layers = family.layers(0).map((layer): NamedLayer & { bytes: number } => ({
    name: layer.name,
    ...weightShape(layer, tensors),
    tap: layer.tap,
    sum: layer.sum,
    bytes: tensors.get(`${layer.name}.weight`)?.bytes ?? 0,
  }));
  const block = sum(family.blockTensors(0).map((name) => elements(tensors.get(name))));
  const weights = sum(layers.map(({ rows, cols }) => rows * cols));
  return {
    blocks: family.blocks,
    hidden: family.hidden,
    vocab: family.vocab,
    width: tensors.get(family.headWeight)?.shape[1] ?? family.hidden,
    vocabularyRows: Math.max(...ranges.map(({ start, end }) => end - start)),
    vocabularyPasses: ranges.length,
    parameters: sum(all.map(elements)),
    bytes: sum(all.map(({ bytes }) => bytes)),
    weightBytes: sum(layers.map(({ bytes }) => bytes)) / weights,
    layers: layers.map(({ name, rows, cols, tap, sum }) => ({ name, rows, cols, tap, sum })),
    otherElements: block - weights,
  };
}
