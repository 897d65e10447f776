import { constants } from '../native.ts';

/** A linear layer's shape and the tap it reads. */
export interface LayerShape {
  readonly rows: number;
  readonly cols: number;
  readonly tap: string;
  /** The tap of what the layer's output is added to. */
  readonly sum?: string | undefined;
}

/** What is known of a drift's size: of the layer's inputs, or with `sum` of what its output is added to. */
type Drifting = Pick<LayerShape, 'rows' | 'cols' | 'sum'>;

/** Floating-point operations (a multiply-add counts two) of one block, by kind of work. */
export interface BlockOperations {
  /** One forward pass of one sequence. */
  readonly forward: number;
  /** The same up to the last tap: the layers that read it are left out. */
  readonly taps: number;
  /** As many forward passes of one sequence as there are taps, each up to one of them or to what its layer's output is added to. */
  readonly upToTaps: number;
  /** One triangle of Xᵀ X of every tap, for one sequence. */
  readonly gram: number;
  /** The drift of every tap, for one sequence. */
  readonly drift: number;
  /** Reversed Cholesky and triangular inverse, each n³/3, of every tap. */
  readonly factor: number;
  /** SparseGPT's sweep of every layer: rows * cols². */
  readonly solve: number;
  /** A sweep that prunes all of every layer, for its output energy: rows * cols². */
  readonly energy: number;
  /** Pruning every layer by ADMM: inverses, and both energies, included. */
  readonly iterate: number;
  /** Choosing every layer's codes anew after the sweep. */
  readonly refine: number;
  /** What moves every layer's weights to dense targets. */
  readonly shift: number;
}

/**
 * Operations of a block from its layers' shapes, in the order in which they are computed.
 * Attention adds scores and their product with the values: 2 * 2 * seqlen² * width a sequence, the width of all heads together being
 * what the layer behind it reads.
 */
export function blockOperations(layers: readonly LayerShape[], seqlen: number): BlockOperations {
  const first = firstOfTaps(layers);
  const widths = tapWidths(layers);
  const sweep = sum(layers.map(sweepOperations));
  return {
    forward: forwardOperations(layers, seqlen),
    taps: forwardOperations(layers, seqlen, first.at(-1)?.tap),
    upToTaps: sum(first.map((layer) => forwardOperations(layers, seqlen, layer.sum ?? layer.tap))),
    gram: sum(widths.map((cols) => gramOperations(cols, seqlen))),
    drift: sum(first.map((layer) => driftOperations(layer, seqlen))),
    factor: sum(widths.map(factorOperations)),
    solve: sweep,
    energy: sweep,
    iterate: sum(layers.map((layer) => iterateOperations(layer, PRUNES) + invertOperations(layer.cols))),
    refine: sum(layers.map(refineOperations)),
    shift: sum(first.map(shiftOperations)) + sum(layers.map(shiftedOperations)),
  };
}

/** A forward pass of one sequence through a block, or up to one of its taps or sums: the layers that come after it are left out. */
export function forwardOperations(layers: readonly LayerShape[], seqlen: number, name?: string): number {
  const reading = layers.findIndex((layer) => layer.tap === name);
  const adding = layers.findIndex((layer) => layer.sum === name);
  const end = name === undefined ? layers.length : reading < 0 ? adding + 1 : reading;
  const behindAttention = layers.findIndex((layer) => layer.tap === 'attn_out');
  const attention = behindAttention <= end ? 4 * seqlen * seqlen * (layers[behindAttention]?.cols ?? 0) : 0;
  return sum(layers.slice(0, end).map(({ rows, cols }) => 2 * rows * cols * seqlen)) + attention;
}

/** One triangle of Xᵀ X, X [tokens, cols]. */
export function gramOperations(cols: number, tokens: number): number {
  return tokens * cols * (cols + 1);
}

/** Reversed Cholesky and triangular inverse of [cols, cols]. */
export function factorOperations(cols: number): number {
  return (2 / 3) * cols ** 3;
}

/** Rows of a drift [rows, cols]. */
export function driftRows({ rows, cols, sum }: Drifting): number {
  return sum === undefined ? cols : rows;
}

/** The sums of a drift over so many tokens: a product. */
export function driftOperations(layer: Drifting, tokens: number): number {
  return 2 * tokens * driftRows(layer) * layer.cols;
}

/** What a drift moves weights by, of its shape: three products with triangles. */
export function shiftOperations(layer: Drifting): number {
  return 3 * driftRows(layer) * layer.cols ** 2;
}

/** A layer's weights moved by it: one product where it is that of the layer's inputs; else it is only added. */
export function shiftedOperations({ rows, cols, sum }: Drifting): number {
  return sum === undefined ? 2 * rows * cols * cols : 0;
}

/** One sweep over a layer: each column's errors are subtracted from all columns after it. */
export function sweepOperations({ rows, cols }: Pick<LayerShape, 'rows' | 'cols'>): number {
  return rows * cols * cols;
}

/** What ADMM does to a layer. */
export interface Iterating {
  readonly prunes: boolean;
  readonly quantizes: boolean;
}

const PRUNES: Iterating = { prunes: true, quantizes: false };

/**
 * ADMM over a layer but for the sweep that quantizes it, products [rows, cols] times [cols, cols]: one in each iteration and in each step
 * of the polish, and one before those; what choosing codes anew takes; and one each for the energies of the output and of what it loses.
 */
export function iterateOperations(layer: Pick<LayerShape, 'rows' | 'cols'>, { prunes, quantizes }: Iterating): number {
  const { iterations, polish } = constants.method.admm;
  const pruning = prunes ? products(layer, iterations + polish + 1) : 0;
  return pruning + (quantizes ? refineOperations(layer) : 0) + products(layer, 2);
}

/** Codes chosen anew: what is lost times the Hessian, and in each pass what all changes make of it. */
export function refineOperations(layer: Pick<LayerShape, 'rows' | 'cols'>): number {
  return products(layer, 1 + constants.method.admm.refinements);
}

/** So many products [rows, cols] times [cols, cols]. */
function products({ rows, cols }: Pick<LayerShape, 'rows' | 'cols'>, count: number): number {
  return count * 2 * rows * cols * cols;
}

/** The inverses that it takes, [cols, cols], one for each penalty: a Cholesky factor, its inverse and that one's square, each n³/3. */
export function invertOperations(cols: number): number {
  return constants.method.admm.penalties * cols ** 3;
}

/** Logits of a sequence: [seqlen, width] times the vocabulary [vocab, width]. */
export function headOperations(vocab: number, width: number, seqlen: number): number {
  return 2 * vocab * width * seqlen;
}

interface ModelSize {
  /** The layers of one block. */
  readonly layers: readonly LayerShape[];
  readonly blocks: number;
  readonly vocab: number;
  /** The width of the head's input. */
  readonly width: number;
}

/** The branches that go through a model on so many sequences, beside the dense one. */
export interface Branching {
  readonly sequences: number;
  readonly seqlen: number;
  /** Whether there is one for each layer, pruned alone. */
  readonly layers: boolean;
  /** Widths for each of which there is one with all layers quantized. */
  readonly bits: number;
}

/** The dense model and all branches that the first `blocks` blocks give. */
export function branchCount(
  model: Pick<ModelSize, 'layers'>,
  blocks: number,
  { layers, bits }: Pick<Branching, 'layers' | 'bits'>,
): number {
  return 1 + (layers ? model.layers.length * blocks : 0) + bits;
}

/** How often a branch goes through a block: the dense one and the quantized ones through each, those of its own layers and of the layers before it. */
export function branchPasses(
  model: Pick<ModelSize, 'layers' | 'blocks'>,
  blocks: number,
  branching: Pick<Branching, 'layers' | 'bits'>,
): number {
  const through = (block: number): number => branchCount(model, Math.min(block + 1, blocks), branching);
  return sum(Array.from({ length: model.blocks }, (_, block) => through(block)));
}

/** All branches: each from its layer's block on through the rest, then the head. */
export function branchOperations(
  model: ModelSize,
  blocks: number,
  branching: Branching,
): { forward: number; head: number } {
  const { layers, vocab, width } = model;
  const { sequences, seqlen } = branching;
  return {
    forward: sequences * branchPasses(model, blocks, branching) * blockOperations(layers, seqlen).forward,
    head: sequences * branchCount(model, blocks, branching) * headOperations(vocab, width, seqlen),
  };
}

/** All eigenvalues of the smaller of W Wᵀ and Wᵀ W: that product's triangle, and its reduction to a tridiagonal matrix, 4/3 n³. */
export function spectrumOperations({ rows, cols }: Pick<LayerShape, 'rows' | 'cols'>): number {
  const n = Math.min(rows, cols);
  return gramOperations(n, Math.max(rows, cols)) + (4 / 3) * n ** 3;
}

/** Columns of each tap, in the order in which they are computed. */
export function tapWidths(layers: readonly LayerShape[]): number[] {
  return firstOfTaps(layers).map(({ cols }) => cols);
}

/** Columns of what drifts of each tap, all together. */
export function driftWidth(layers: readonly LayerShape[]): number {
  return sum(firstOfTaps(layers).map(driftRows));
}

/** The first layer that reads each tap, in the order in which they are computed. */
export function firstOfTaps<T extends Pick<LayerShape, 'tap'>>(layers: readonly T[]): T[] {
  return layers.filter(({ tap }, index) => layers.findIndex((other) => other.tap === tap) === index);
}

export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
