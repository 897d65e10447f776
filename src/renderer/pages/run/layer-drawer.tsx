import { Button, Drawer, Group } from '@mantine/core';
import { IconArrowLeft, IconArrowRight } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { IterationsChart } from '../../../charts/iterations-chart.tsx';
import { percent, significant } from '../../../contract/format.ts';
import type { LayerView } from '../../run/run-view.ts';
import { Facts } from '../../run/facts.tsx';
import { layerFacts } from '../../run/layer-facts.ts';
import { useLabel, useLocale } from '../../words.tsx';

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
          <LayerIterations layer={layer} />
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

/** How mask and weights were found together; nothing where the method does not iterate. */
function LayerIterations({ layer }: { layer: LayerView }): ReactElement | null {
  const t = useLabel();
  const locale = useLocale();
  if (layer.iterations === null) return null;
  return (
    <>
      <IterationsChart layers={[layer]} locale={locale} />
      <table className="small-table" aria-label={t('report.iterations')}>
        <thead>
          <tr>
            <th scope="col">{t('layer.iteration')}</th>
            <th scope="col">{t('layer.changed')}</th>
            <th scope="col">{t('layer.error-so-far')}</th>
          </tr>
        </thead>
        <tbody>
          {layer.iterations.map(({ changed, error }, i) => (
            <tr key={i}>
              <th scope="row">{i + 1}</th>
              <td>{percent(changed, 2)} %</td>
              <td>{significant(error, 4)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
