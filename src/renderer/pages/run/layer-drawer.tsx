import { Button, Drawer, Group } from '@mantine/core';
import { IconArrowLeft, IconArrowRight } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import type { LayerView } from '../../../contract/run-view.ts';
import { Facts } from '../../run/facts.tsx';
import { layerFacts } from '../../run/layer-facts.ts';
import { useLabel } from '../../words.tsx';

/** A layer with all that is known of it, beside the page. */
export function LayerDrawer(props: {
  layers: readonly LayerView[];
  /** Name of the layer that is open; null = none. */
  opened: string | null;
  inReport: boolean;
  onOpen: (layer: string | null) => void;
}): ReactElement {
  const { layers, opened, inReport, onOpen } = props;
  const t = useLabel();
  const place = layers.findIndex(({ name }) => name === opened);
  const layer = layers[place];
  const neighbour = (step: number): string | null => layers[place + step]?.name ?? null;
  const step = (by: -1 | 1, label: string, icon: ReactElement): ReactElement => (
    <Button
      variant="default"
      disabled={neighbour(by) === null}
      leftSection={icon}
      onClick={() => onOpen(neighbour(by))}
    >
      {label}
    </Button>
  );
  return (
    <Drawer
      opened={layer !== undefined}
      onClose={() => onOpen(null)}
      position="right"
      size={420}
      title={t('layer.title')}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      {layer && (
        <>
          <p className="path">{layer.name}</p>
          <Facts
            rows={layerFacts(layer, t).map(({ field, label, text }) => ({
              name: label,
              text,
              ...(inReport && { figure: `layers.${place}.${field}` }),
            }))}
          />
          <Group mt="md" gap="xs">
            {step(-1, t('layer.previous'), <IconArrowLeft size={16} />)}
            {step(1, t('layer.next'), <IconArrowRight size={16} />)}
          </Group>
        </>
      )}
    </Drawer>
  );
}
