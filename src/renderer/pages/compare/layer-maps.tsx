import { Text, Title } from '@mantine/core';
import { useMemo, useState, type ReactElement } from 'react';

import { LayerMap, layerMapRange, type LayerMapValue } from '../../../charts/layer-map.tsx';
import { ChartCard } from '../../components/chart-card.tsx';
import { ColourControl } from '../../run/colour-control.tsx';
import { LayerMarks } from '../../run/layer-marks.tsx';
import { useLabel, useLocale } from '../../words.tsx';
import type { Compared } from './use-compared.ts';

/** The runs' layer maps side by side; a colour means the same in all of them. */
export function LayerMaps(props: { runs: readonly Compared[]; onOpen: (layer: string) => void }): ReactElement {
  const { runs, onOpen } = props;
  const t = useLabel();
  const locale = useLocale();
  const [colourBy, setColourBy] = useState<LayerMapValue>('sparsity');
  const range = useMemo(
    () =>
      layerMapRange(
        colourBy,
        runs.flatMap(({ report }) => report.layers),
      ),
    [runs, colourBy],
  );
  return (
    <section aria-label={t('compare.maps')}>
      <div className="compare-maps-head">
        <Title order={2} size="h5">
          {t('compare.maps')}
        </Title>
        <ColourControl
          layers={runs.flatMap(({ report }) => report.layers)}
          colourBy={colourBy}
          onChange={setColourBy}
        />
        <Text size="xs" c="dimmed">
          {t('compare.one-scale')}
        </Text>
      </div>
      <div className="compare-maps">
        {runs.map(({ row, report, letter }) => (
          <ChartCard
            key={row.id}
            title={`${letter} ${row.name}`}
            fileName={`${row.name} ${colourBy}`}
            numbers={() => ({
              headings: [t('layer.name'), t(`layer.${colourBy}`)],
              rows: report.layers.map((layer) => [layer.name, layer[colourBy]]),
            })}
          >
            <LayerMarks layers={report.layers} label={`${t('report.layer-map')} ${letter}`} onOpen={onOpen}>
              <LayerMap layers={report.layers} colourBy={colourBy} range={range} locale={locale} />
            </LayerMarks>
          </ChartCard>
        ))}
      </div>
    </section>
  );
}
