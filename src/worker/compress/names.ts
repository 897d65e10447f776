import type { Model } from '../model/open.ts';

/** The first layer that reads a tap, to name the tap by. */
export function layerOf(model: Model, block: number, tap: string): string {
  return model.family.layers(block).find((layer) => layer.tap === tap)?.name ?? tap;
}

/** A value that must be there. */
export function need<K, V>(map: ReadonlyMap<K, V>, key: K): V {
  const value = map.get(key);
  if (value === undefined) throw new Error(`${String(key)} is missing`);
  return value;
}
