import { groupsOf } from '../../contract/quantization.ts';
import { methods } from '../../contract/recipe/methods.ts';
import type { Recipe } from '../../contract/recipe.ts';
import {
  factorOperations,
  gramOperations,
  invertOperations,
  iterateOperations,
  sweepOperations,
  type Iterating,
  type LayerShape,
} from '../model/costs.ts';
import { constants } from '../native.ts';

/**
 * What one task costs on a GPU: its time is `operations` at the kernel's rate, `up` and `down` at that of the bus, and `stored` at which
 * the processor reads, turns and stores weights. On the CPU the operations stand for all of it.
 */
export interface Term {
  /** Floating-point operations; a multiply-add counts two. */
  readonly operations: number;
  /** Bytes that are sent to the GPU. */
  readonly up: number;
  /** Bytes that are fetched from it. */
  readonly down: number;
  /** Weights that the CPU reads from the checkpoint, turns into columns and back, and stores. */
  readonly stored: number;
}

const FLOAT = 4;

/** The Gram matrix of a tap of so many columns: the tap goes up. */
export function gramTerm(cols: number, tokens: number): Term {
  return { operations: gramOperations(cols, tokens), up: FLOAT * tokens * cols, down: 0, stored: 0 };
}

/** A tap's factor from its Gram matrix: that one's diagonal, in two parts, and the factor's come down; the damped diagonal and the order go up. */
export function factorTerm(cols: number): Term {
  return { operations: factorOperations(cols), up: 2 * FLOAT * cols, down: 3 * FLOAT * cols, stored: 0 };
}

/** A layer's estimate, curve and energy: counts of its saliencies, at most those of every bin with a point of the curve, and one sweep. */
export function statisticsTerm(layer: Pick<LayerShape, 'rows' | 'cols'>): Term {
  const { rows, cols } = layer;
  const { bins, binValues, curvePoints } = constants.method;
  // The curve's first and last point fall into no bin.
  const counts = FLOAT * (3 * bins + (curvePoints - 2) * binValues);
  return {
    operations: sweepOperations(layer),
    up: FLOAT * (rows * cols + 3 * cols + bins),
    down: counts + squareBytes(layer),
    // Read and turned, but not stored.
    stored: (rows * cols) / 2,
  };
}

/**
 * A layer pruned or quantized. SparseGPT sweeps it for the energy of its output, then to prune it, after which it comes down with its
 * grids; Wanda prunes on the CPU and sweeps for both energies.
 */
export function solveTerm(
  layer: Pick<LayerShape, 'rows' | 'cols'>,
  { method, quantization }: Pick<Recipe, 'method' | 'quantization'>,
): Term {
  const { rows, cols } = layer;
  const sweeps = { operations: 2 * sweepOperations(layer), up: 2 * FLOAT * (rows * cols + cols), stored: rows * cols };
  const squares = 2 * squareBytes(layer);
  if (!methods[method].sweeps) return { ...sweeps, down: squares };
  const groups = quantization === null ? 0 : groupsOf(quantization, cols);
  // Which column is in which group; and all columns once more for each block in which groups begin.
  const members =
    quantization === null ? 0 : FLOAT * cols * (1 + Math.min(groups, Math.ceil(cols / constants.method.block)));
  return { ...sweeps, up: sweeps.up + members, down: squares + FLOAT * rows * (cols + 2 * groups) };
}

/**
 * ADMM over a layer, which goes up as weights and as iterate, and for each of two energies, and comes down; what is quantized goes up with
 * what it lost, to have its codes chosen anew, and comes down.
 */
export function iterateTerm(layer: Pick<LayerShape, 'rows' | 'cols'>, iterating: Iterating): Term {
  const { prunes, quantizes } = iterating;
  const stored = layer.rows * layer.cols;
  const matrices = (count: number): number => FLOAT * stored * count;
  return {
    operations: iterateOperations(layer, iterating),
    up: matrices(2 + (prunes ? 2 : 0) + (quantizes ? 2 : 0)),
    down: matrices((prunes ? 1 : 0) + (quantizes ? 1 : 0)),
    stored,
  };
}

/** The inverses that it takes, which stay where they are. */
export function invertTerm(cols: number): Term {
  return { operations: invertOperations(cols), up: 0, down: 0, stored: 0 };
}

/** A factor that the CPU takes over, because the GPU does not know the pattern. */
export function takenOverBytes(cols: number): number {
  return FLOAT * cols * cols;
}

function squareBytes({ rows, cols }: Pick<LayerShape, 'rows' | 'cols'>): number {
  return FLOAT * rows * Math.ceil(cols / constants.gpu.summedColumns);
}
