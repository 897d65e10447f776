import { Button, Drawer, Group } from '@mantine/core';
import { IconArrowLeft, IconArrowRight } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import type { LayerView } from '../../run/run-view.ts';
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
            <Button
              variant="default"
              leftSection={<IconArrowLeft size={16} />}
              disabled={neighbour(-1) === null}
              onClick={() => onOpen(neighbour(-1))}
            >
              {t('layer.previous')}
            </Button>
            <Button
              variant="default"
              rightSection={<IconArrowRight size={16} />}
              disabled={neighbour(1) === null}
              onClick={() => onOpen(neighbour(1))}
            >
              {t('layer.next')}
            </Button>
          </Group>
        </>
      )}
    </Drawer>
  );
}
