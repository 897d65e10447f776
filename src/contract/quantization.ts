import type { Bits, Quantization } from './recipe.ts';

/** Whether a layer's name is one that an exception's pattern stands for; `*` stands for any characters. */
export function matchesLayer(pattern: string, layer: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(layer);
}

/** Bits of a layer's kept weights; null where they are not quantized. */
export function layerBits(quantization: Quantization | null, layer: string): Bits | null {
  if (quantization === null) return null;
  const exception = quantization.exceptions.findLast(({ layers }) => matchesLayer(layers, layer));
  return exception ? exception.bits : quantization.bits;
}

/** Groups of columns in a row of `cols`. */
export function groupsOf({ groupSize }: Quantization, cols: number): number {
  return groupSize === null ? 1 : Math.ceil(cols / groupSize);
}

/** Whether a column's group is not column / group size: groups follow the order of the sweep. */
export function hasScatteredGroups(quantization: Quantization, cols: number): boolean {
  return quantization.actOrder && !quantization.staticGroups && groupsOf(quantization, cols) > 1;
}
