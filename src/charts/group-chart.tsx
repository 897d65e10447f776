import { scaleLinear } from 'd3-scale';
import { memo, type ReactElement } from 'react';

import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import type { Centroid } from '../contract/report.ts';
import { extent, log10, type ChartLayer } from './data.ts';
import { fixed, percent, significant } from '../contract/format.ts';
import {
  LayerAxis,
  layerX,
  type LayerMarkProps,
  Legend,
  Mark,
  markArea,
  Picture,
  plot,
  ticksAt,
  ValueAxis,
} from './frame.tsx';
import { seriesStyle } from './palette.ts';

/** So many groups can still be told apart and named; beyond that all layers are drawn alike, without centroids. */
const maxGroups = 12;

/** log10 of each layer's estimated pruning loss, layers in order, marked by group; a line at each group's centroid. */
export function GroupChart(props: {
  layers: readonly ChartLayer[];
  centroids: readonly Centroid[];
  locale: Locale;
}): ReactElement {
  const { layers, locale } = props;
  const t = labels(locale);
  const centroids = props.centroids.length <= maxGroups ? props.centroids : [];
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
      <ValueAxis ticks={ticksAt(y, y.ticks(6), (tick) => fixed(tick, 1))} title={t('axis.log-estimate')} />
      <LayerAxis layers={layers} title={t('axis.blocks')} />
      {centroids.map((centroid) => (
        <line
          key={centroid.group}
          data-centroid={centroid.group}
          x1={plot.left}
          x2={plot.right}
          y1={y(centroid.log10)}
          y2={y(centroid.log10)}
          stroke={seriesStyle(centroid.group).fill}
          strokeWidth={1.5}
          strokeDasharray={seriesStyle(centroid.group).dash}
        >
          <title>
            {t('chart.centroid', {
              group: centroid.group,
              log10: fixed(centroid.log10, 2),
              sparsity: percent(centroid.sparsity, 1),
              layers: centroid.layers,
            })}
          </title>
        </line>
      ))}
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
