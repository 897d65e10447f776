import { scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { memo, type ReactElement } from 'react';

import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import { columnsOf, extent, log10, type ChartLayer } from './data.ts';
import { significant } from '../contract/format.ts';
import { LayerAxis, layerX, type LayerMarkProps, Mark, markArea, Picture, plot, ticksAt, ValueAxis } from './frame.tsx';
import { decades, logTicks, writeLogTick } from './log-axis.ts';
import { seriesStyle } from './palette.ts';
import { TypeLegend } from './type-legend.tsx';

/** Relative output error of the layers in order on a log axis; layers of one type share a mark and are joined by a line. */
export function ErrorChart({ layers, locale }: { layers: readonly ChartLayer[]; locale: Locale }): ReactElement {
  const t = labels(locale);
  const [low, high] = extent(layers.map((layer) => log10(layer.error))) ?? [-1, 0];
  const y = scaleLog(decades(low, high), [plot.bottom, plot.top]);
  const x = layerX(layers.length);
  const columns = columnsOf(layers);
  const series = new Map(columns.map(({ type }, i) => [type, i]));
  const points = layers.flatMap((layer, i) => {
    if (layer.error === null) return [];
    return [{ layer, x: x(i), y: layer.error > 0 ? y(layer.error) : plot.bottom }];
  });
  const path = line<(typeof points)[number]>(
    (point) => point.x,
    (point) => point.y,
  ).digits(1);
  return (
    <Picture width={plot.width} height={plot.height} label={t('chart.error.label', { layers: points.length })}>
      <ValueAxis ticks={ticksAt(y, logTicks(y), writeLogTick)} title={t('axis.error')} />
      <LayerAxis layers={layers} title={t('axis.blocks')} />
      {columns.map(({ type }, i) => {
        const { fill, dash } = seriesStyle(i);
        const ofType = points.filter((point) => point.layer.type === type && (point.layer.error ?? 0) > 0);
        return (
          <path key={type} d={path(ofType) ?? ''} fill="none" stroke={fill} strokeDasharray={dash} opacity={0.7} />
        );
      })}
      {points.map(({ layer, x: place, y: height }) => (
        <ErrorMark
          key={layer.name}
          layer={layer}
          x={place}
          y={height}
          area={markArea(layers.length)}
          series={series.get(layer.type) ?? 0}
          locale={locale}
        />
      ))}
      <TypeLegend layers={layers} />
    </Picture>
  );
}

/** Drawn again only when its layer or its place changes. */
const ErrorMark = memo(function ErrorMark({ layer, x, y, area, series, locale }: LayerMarkProps): ReactElement {
  const t = labels(locale);
  const error = layer.error ?? 0;
  const title = [
    layer.name,
    t('chart.mark.error', { value: significant(error, 3) }),
    ...(error > 0 ? [] : [t('chart.zero')]),
  ].join('\n');
  return (
    <Mark layer={layer.name} x={x} y={y} area={area} series={seriesStyle(series)} hollow={error <= 0} title={title} />
  );
});
