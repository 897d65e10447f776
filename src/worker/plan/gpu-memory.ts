import type { Gpu } from '../../contract/gpu.ts';
import { methods, type Method } from '../../contract/recipe/methods.ts';
import type { Recipe } from '../../contract/recipe.ts';
import { sum, type LayerShape } from '../model/costs.ts';
import { constants } from '../native.ts';

/** The solver takes this share of a GPU's memory; the rest is for forward passes and for other programs. */
const SHARE = 0.7;

/** What of a run's work is done on a GPU. */
export interface GpuShare {
  /** Those whose Gram matrices and factors lie there, and what is made with them. */
  readonly taps: ReadonlySet<string>;
  /** Whether it prunes in the recipe's pattern; otherwise the CPU takes each factor over for that. */
  readonly prunes: boolean;
}

/** @returns null where the CPU does all */
export function gpuShare(
  layers: readonly LayerShape[],
  { method, nm }: { readonly method: Method } & Pick<Recipe, 'nm'>,
  gpu: Pick<Gpu, 'memoryBytes'> | null,
): GpuShare | null {
  if (gpu === null) return null;
  const { sweeps, iterates } = methods[method];
  return {
    taps: tapsThatFit(layers, gpu.memoryBytes, method),
    prunes: !sweeps || iterates || nm === null || nm.m <= constants.gpu.widestPattern,
  };
}

/** The types of layers that are the CPU's. */
export function layersOnCpu(
  layers: readonly { readonly type: string; readonly tap: string }[],
  { taps, prunes }: GpuShare,
): string[] {
  return layers.filter(({ tap }) => !prunes || !taps.has(tap)).map(({ type }) => type);
}

/**
 * The taps whose matrices a GPU has room for, the narrowest first.
 * @param memoryBytes null = not known: all of them, as far as the GPU takes them
 */
export function tapsThatFit(layers: readonly LayerShape[], memoryBytes: number | null, method: Method): Set<string> {
  const room = memoryBytes === null ? Infinity : SHARE * memoryBytes;
  const fitting = new Set<string>();
  for (const { tap } of [...layers].sort((a, b) => a.cols - b.cols)) {
    if (gpuBytes(layers, new Set([...fitting, tap]), method) > room) break;
    fitting.add(tap);
  }
  return fitting;
}

/**
 * Bytes of a GPU's memory that these taps need. The Gram matrices of a block's taps are there together, two float32 numbers an entry;
 * then beside them one factor, float32, with the weights of a layer that is swept, and their errors. By ADMM a factor and its Hessian
 * take their Gram matrix's place; beside them are two squares that an inverse is made in, and of a layer the weights, the iterate, what
 * is multiplied, the product, and a bit for each weight.
 */
export function gpuBytes(layers: readonly LayerShape[], taps: ReadonlySet<string>, method: Method): number {
  const { iterates } = methods[method];
  const solving = ({ rows, cols }: LayerShape): number =>
    iterates ? 8 * cols * cols + (16 + 1 / 8) * rows * cols : 4 * cols * cols + 8 * rows * cols;
  const there = layers.filter(({ tap }) => taps.has(tap));
  const widths = new Map(there.map(({ tap, cols }) => [tap, cols]));
  const grams = sum([...widths.values()].map((cols) => 8 * cols * cols));
  return grams + Math.max(0, ...there.map(solving));
}
