import type { ReactElement, ReactNode } from 'react';

import type { LayerView } from './run-view.ts';
import { useLabel } from '../words.tsx';
import { layerFacts } from './layer-facts.ts';
import { nextLayer } from './layer-order.ts';
import { Marks } from './marks.tsx';

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
