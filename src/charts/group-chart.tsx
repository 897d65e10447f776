import { scaleLinear } from 'd3-scale';
import { memo, type ReactElement } from 'react';

import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import type { Centroid } from '../contract/report.ts';
import { CentroidLines, distinguishable } from './centroids.tsx';
import { extent, log10, type ChartLayer } from './data.ts';
import { percent, significant } from '../contract/format.ts';
import {
  LayerAxis,
  layerX,
  type LayerMarkProps,
  Legend,
  linearTicks,
  Mark,
  markArea,
  Picture,
  plot,
  ValueAxis,
} from './frame.tsx';
import { seriesStyle } from './palette.ts';

/** log10 of each layer's estimated pruning loss, layers in order, marked by group; a line at each group's centroid. */
export function GroupChart(props: {
  layers: readonly ChartLayer[];
  centroids: readonly Centroid[];
  locale: Locale;
}): ReactElement {
  const { layers, locale } = props;
  const t = labels(locale);
  const centroids = distinguishable(props.centroids);
  const [low, high] = extent([...layers.map((layer) => log10(layer.estimate)), ...centroids.map((c) => c.log10)]) ?? [
    0, 1,
  ];
  const y = scaleLinear([low, high > low ? high : low + 1], [plot.bottom - 6, plot.top + 6]).nice(6);
  const x = layerX(layers.length);
  const area = markArea(layers.length);
  return (
    <Picture
      width={plot.width}
      height={plot.height}
      label={t('chart.group.label', { layers: layers.length, groups: props.centroids.length })}
    >
      <ValueAxis ticks={linearTicks(y, 6)} title={t('axis.log-estimate')} />
      <LayerAxis layers={layers} title={t('axis.blocks')} />
      <CentroidLines centroids={centroids} y={y} of="estimate" locale={locale} />
      {layers.map((layer, i) => {
        if (layer.estimate === null) return null;
        const value = log10(layer.estimate);
        const series = centroids.length > 0 ? (layer.group ?? 0) : 0;
        const y0 = value === null ? plot.bottom : y(value);
        return <GroupMark key={layer.name} layer={layer} x={x(i)} y={y0} area={area} series={series} locale={locale} />;
      })}
      <Legend
        entries={centroids.map((centroid) => ({
          key: centroid.group,
          text: `${t('chart.group', { group: centroid.group })}: ${percent(centroid.sparsity, 1)} %`,
          y: y(centroid.log10),
          series: seriesStyle(centroid.group),
        }))}
      />
    </Picture>
  );
}

/** Drawn again only when its layer or its place changes. */
const GroupMark = memo(function GroupMark({ layer, x, y, area, series, locale }: LayerMarkProps): ReactElement {
  const t = labels(locale);
  const isZero = log10(layer.estimate) === null;
  const title = [
    layer.name,
    t('chart.mark.estimate', { value: significant(layer.estimate ?? 0, 3) }),
    ...(layer.group === null ? [] : [t('chart.group', { group: layer.group })]),
    ...(isZero ? [t('chart.zero')] : []),
  ].join('\n');
  return <Mark layer={layer.name} x={x} y={y} area={area} series={seriesStyle(series)} hollow={isZero} title={title} />;
});
