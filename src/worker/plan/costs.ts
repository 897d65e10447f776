/** A linear layer's shape and the tap it reads. */
export interface LayerShape {
  readonly rows: number;
  readonly cols: number;
  readonly tap: string;
}

/** Floating-point operations (a multiply-add counts two) of one block, by kind of work. */
export interface BlockOperations {
  /** One forward pass of one sequence. */
  readonly forward: number;
  /** One triangle of Xᵀ X of every tap, for one sequence. */
  readonly gram: number;
  /** Reversed Cholesky and triangular inverse, each n³/3, of every tap. */
  readonly factor: number;
  /** SparseGPT's sweep of every layer: rows * cols². */
  readonly solve: number;
  /** Triangular solves for the layers' output energy: rows * cols². */
  readonly energy: number;
}

/**
 * Operations of a block from its layers' shapes.
 * Attention adds scores and their product with the values: 2 * 2 * seqlen² * hidden a sequence.
 */
export function blockOperations(layers: readonly LayerShape[], seqlen: number, hidden: number): BlockOperations {
  const taps = new Map(layers.map((layer) => [layer.tap, layer.cols]));
  const widths = [...taps.values()];
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return {
    forward: sum(layers.map(({ rows, cols }) => 2 * rows * cols * seqlen)) + 4 * seqlen * seqlen * hidden,
    gram: sum(widths.map((cols) => seqlen * cols * (cols + 1))),
    factor: sum(widths.map((cols) => (2 / 3) * cols ** 3)),
    solve: sum(layers.map(({ rows, cols }) => rows * cols * cols)),
    energy: sum(layers.map(({ rows, cols }) => rows * cols * cols)),
  };
}
