import type { Iteration, LayerResult } from '../contract/report.ts';

/** What a chart needs of a layer; a value that is not known yet is null, so that a run can be drawn while it goes. */
export type ChartLayer = Pick<
  LayerResult,
  'name' | 'block' | 'type' | 'rows' | 'cols' | 'estimate' | 'sensitivity' | 'group' | 'bits' | 'error' | 'iterations'
> & {
  readonly sparsity: number | null;
};

/** A type of layer (`self_attn.q_proj`) and the shortest heading that tells it from the others (`q_proj`). */
export interface Column {
  readonly type: string;
  readonly heading: string;
}

/** The types of layers in the order in which the model has them. */
export function columnsOf(layers: readonly ChartLayer[]): Column[] {
  const types = [...new Set(layers.map((layer) => layer.type))];
  const last = (type: string): string => type.slice(type.lastIndexOf('.') + 1);
  const clash = new Set(types.map(last)).size < types.length;
  return types.map((type) => ({ type, heading: clash ? type : last(type) }));
}

/** The layers by block, ascending. */
export function byBlock<L extends ChartLayer>(layers: readonly L[]): [block: number, layers: L[]][] {
  const blocks = new Map<number, L[]>();
  for (const layer of layers) blocks.set(layer.block, [...(blocks.get(layer.block) ?? []), layer]);
  return [...blocks].sort(([a], [b]) => a - b);
}

/** How the layers of each type were iterated over, in the order of `columnsOf`: of every iteration the medians over those that had it. */
export function iterationsByType(layers: readonly ChartLayer[]): [type: string, iterations: Iteration[]][] {
  return columnsOf(layers).map(({ type }) => {
    const ofType = layers.flatMap((layer) => (layer.type === type && layer.iterations ? [layer.iterations] : []));
    const length = Math.max(0, ...ofType.map((iterations) => iterations.length));
    const at = (i: number): Iteration[] => ofType.flatMap((iterations) => iterations[i] ?? []);
    const medians = Array.from({ length }, (_, i) => ({
      changed: median(at(i).map(({ changed }) => changed)),
      error: median(at(i).map(({ error }) => error)),
    }));
    return [type, medians];
  });
}

/** Between the two in the middle where their number is even. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = NaN, high = low] = sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1);
  return (low + high) / 2;
}

/** log10, and null for what has none: zero, and values not measured. */
export function log10(value: number | null): number | null {
  return value !== null && value > 0 ? Math.log10(value) : null;
}

/** Smallest and largest of the known values; null where there is none. */
export function extent(values: readonly (number | null)[]): [low: number, high: number] | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : [Math.min(...known), Math.max(...known)];
}
