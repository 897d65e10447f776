import { scaleLinear, type ScaleLinear } from 'd3-scale';
import { memo, type ReactElement } from 'react';

import { significant } from '../contract/format.ts';
import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import type { Centroid } from '../contract/report.ts';
import { sensitivityPerWeight } from '../contract/sensitivity.ts';
import { CentroidLines, distinguishable } from './centroids.tsx';
import { columnsOf, extent, log10, type ChartLayer } from './data.ts';
import { BottomAxis, type LayerMarkProps, linearTicks, Mark, Picture, plot, ValueAxis } from './frame.tsx';
import { seriesStyle } from './palette.ts';
import { TypeLegend } from './type-legend.tsx';

/** Square units of a mark. */
const area = 34;

/**
 * The paper's estimate of each layer against the model's measured sensitivity to it, a weight, both as log10: on a rising line where
 * the two agree. Layers of a type share a mark. Where the layers were grouped by their sensitivity, a line at each group's centroid.
 */
export function SensitivityChart(props: {
  layers: readonly ChartLayer[];
  centroids: readonly Centroid[];
  locale: Locale;
}): ReactElement {
  const { layers, locale } = props;
  const t = labels(locale);
  const centroids = distinguishable(props.centroids);
  const points = layers.flatMap((layer) => {
    const { estimate } = layer;
    const sensitivity = sensitivityPerWeight(layer);
    if (estimate === null || sensitivity === null) return [];
    return [{ layer, estimate: log10(estimate), sensitivity: log10(sensitivity) }];
  });
  const estimates = points.map(({ estimate }) => estimate);
  const x = axisOf(estimates, [plot.left + 6, plot.right - 6]);
  const sensitivities = [...points.map(({ sensitivity }) => sensitivity), ...centroids.map((c) => c.log10)];
  const y = axisOf(sensitivities, [plot.bottom - 6, plot.top + 6]);
  const series = new Map(columnsOf(layers).map(({ type }, i) => [type, i]));
  return (
    <Picture width={plot.width} height={plot.height} label={t('chart.sensitivity.label', { layers: points.length })}>
      <ValueAxis ticks={linearTicks(y, 6)} title={t('axis.log-sensitivity')} />
      <BottomAxis ticks={linearTicks(x, 8)} title={t('axis.log-estimate')} />
      <CentroidLines centroids={centroids} y={y} of="sensitivity" locale={locale} />
      {points.map(({ layer, estimate, sensitivity }) => (
        <SensitivityMark
          key={layer.name}
          layer={layer}
          x={estimate === null ? plot.left : x(estimate)}
          y={sensitivity === null ? plot.bottom : y(sensitivity)}
          area={area}
          series={series.get(layer.type) ?? 0}
          locale={locale}
        />
      ))}
      <TypeLegend layers={layers} />
    </Picture>
  );
}

function axisOf(values: readonly (number | null)[], range: [number, number]): ScaleLinear<number, number> {
  const [low, high] = extent(values) ?? [0, 1];
  return scaleLinear([low, high > low ? high : low + 1], range).nice(6);
}

/** Drawn again only when its layer or its place changes. */
const SensitivityMark = memo(function SensitivityMark(props: LayerMarkProps): ReactElement {
  const { layer, x, y, series, locale } = props;
  const t = labels(locale);
  const perWeight = sensitivityPerWeight(layer);
  const isZero = log10(layer.estimate) === null || log10(perWeight) === null;
  const title = [
    layer.name,
    t('chart.mark.estimate', { value: significant(layer.estimate ?? 0, 3) }),
    t('chart.mark.sensitivity', {
      value: significant(layer.sensitivity ?? 0, 3),
      perWeight: significant(perWeight ?? 0, 3),
    }),
    ...(isZero ? [t('chart.edge')] : []),
  ].join('\n');
  return (
    <Mark layer={layer.name} x={x} y={y} area={props.area} series={seriesStyle(series)} hollow={isZero} title={title} />
  );
});
