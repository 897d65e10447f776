import type { LayerShape } from './costs.ts';

/** Of a GPU's memory; the rest is for forward passes and for other programs. */
const SHARE = 0.7;

/**
 * The taps whose matrices a GPU has room for, the narrowest first. The Gram matrices of a block's taps are there together, two float32
 * numbers an entry; then beside them one factor, float32, with the weights of a layer that is swept, and their errors.
 * @param memoryBytes null = not known: all of them, as far as the GPU takes them
 */
export function tapsThatFit(layers: readonly LayerShape[], memoryBytes: number | null): Set<string> {
  const room = memoryBytes === null ? Infinity : SHARE * memoryBytes;
  const fitting = new Set<string>();
  let grams = 0;
  for (const { tap, cols } of [...layers].sort((a, b) => a.cols - b.cols)) {
    if (fitting.has(tap)) continue;
    grams += 8 * cols * cols;
    if (grams + factorBytes(layers, tap) > room) break;
    fitting.add(tap);
  }
  return fitting;
}

/** A factor and the widest layer that is swept with it. */
function factorBytes(layers: readonly LayerShape[], tap: string): number {
  const own = layers.filter((layer) => layer.tap === tap);
  return Math.max(...own.map(({ rows, cols }) => 4 * cols * cols + 8 * rows * cols));
}
