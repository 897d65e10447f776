import type { LayerView } from './run-view.ts';
import type { MarkMove } from './mark-move.ts';

/** Left and right go through the layers in order, up and down to the same type of layer in the blocks beside. */
export function nextLayer(
  layers: readonly Pick<LayerView, 'name' | 'type'>[],
  from: string | null,
  move: MarkMove,
): string | null {
  const at = layers.findIndex(({ name }) => name === from);
  const nameAt = (index: number): string | null =>
    layers[Math.max(0, Math.min(layers.length - 1, index))]?.name ?? null;
  if (move === 'last') return nameAt(layers.length - 1);
  if (move === 'first' || at < 0) return nameAt(0);
  if (move === 'left') return nameAt(at - 1);
  if (move === 'right') return nameAt(at + 1);
  const type = layers[at]?.type;
  const above = layers.findLastIndex((layer, i) => i < at && layer.type === type);
  const below = layers.findIndex((layer, i) => i > at && layer.type === type);
  const there = move === 'up' ? above : below;
  return nameAt(there < 0 ? at : there);
}
