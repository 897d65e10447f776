import { SegmentedControl } from '@mantine/core';
import type { ReactElement } from 'react';

import type { LayerMapValue } from '../../charts/layer-map.tsx';
import type { LayerView } from './run-view.ts';
import { useLabel } from '../words.tsx';

const colourings: readonly LayerMapValue[] = ['sparsity', 'bits', 'group', 'estimate', 'sensitivity', 'error'];

/** Chooses what a layer map is coloured by; bits only where a layer is quantized, sensitivity only where one was measured. */
export function ColourControl(props: {
  layers: readonly Pick<LayerView, 'bits' | 'sensitivity'>[];
  colourBy: LayerMapValue;
  onChange: (colourBy: LayerMapValue) => void;
}): ReactElement {
  const { layers, colourBy, onChange } = props;
  const t = useLabel();
  const isOffered = (value: LayerMapValue): boolean =>
    (value !== 'bits' && value !== 'sensitivity') || layers.some((layer) => layer[value] !== null);
  const offered = colourings.filter(isOffered);
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('map.colour-by')}
      value={colourBy}
      onChange={(value) => {
        const chosen = colourings.find((one) => one === value);
        if (chosen !== undefined) onChange(chosen);
      }}
      data={offered.map((value) => ({ value, label: t(`map.by.${value}`) }))}
    />
  );
}
