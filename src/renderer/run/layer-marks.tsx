import type { ReactElement, ReactNode } from 'react';

import type { LayerView } from '../../contract/run-view.ts';
import { useLabel } from '../words.tsx';
import { layerFacts } from './layer-facts.ts';
import { Marks, type MarkMove } from './marks.tsx';

/** A chart whose marks are layers: pointing at one tells all that is known of it. */
export function LayerMarks(props: {
  layers: readonly LayerView[];
  label: string;
  onOpen: (layer: string) => void;
  children: ReactNode;
}): ReactElement {
  const { layers, label, onOpen, children } = props;
  const t = useLabel();
  const describe = (name: string): string[] | null => {
    const layer = layers.find((one) => one.name === name);
    return layer ? [name, ...layerFacts(layer, t).map((fact) => `${fact.label}: ${fact.text}`)] : null;
  };
  return (
    <Marks
      label={label}
      hint={t('marks.layers-hint')}
      attribute="data-layer"
      next={(from, move) => nextLayer(layers, from, move)}
      describe={describe}
      onOpen={onOpen}
    >
      {children}
    </Marks>
  );
}

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
