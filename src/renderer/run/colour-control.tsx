import { SegmentedControl } from '@mantine/core';
import type { ReactElement } from 'react';

import type { LayerMapValue } from '../../charts/layer-map.tsx';
import { useLabel } from '../words.tsx';

const colourings: readonly LayerMapValue[] = ['sparsity', 'group', 'estimate', 'error'];

/** Chooses what a layer map is coloured by. */
export function ColourControl(props: {
  colourBy: LayerMapValue;
  onChange: (colourBy: LayerMapValue) => void;
}): ReactElement {
  const { colourBy, onChange } = props;
  const t = useLabel();
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('map.colour-by')}
      value={colourBy}
      onChange={(value) => {
        const chosen = colourings.find((one) => one === value);
        if (chosen !== undefined) onChange(chosen);
      }}
      data={colourings.map((value) => ({ value, label: t(`map.by.${value}`) }))}
    />
  );
}
