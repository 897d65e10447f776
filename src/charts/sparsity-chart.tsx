import { scaleLinear } from 'd3-scale';
import { curveStep, line } from 'd3-shape';
import { memo, type ReactElement } from 'react';

import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import type { ChartLayer } from './data.ts';
import { percent } from '../contract/format.ts';
import { LayerAxis, layerX, Legend, Mark, markArea, Picture, plot, ticksAt, ValueAxis } from './frame.tsx';
import { seriesStyle, type SeriesStyle } from './palette.ts';

export interface SparsityRun {
  readonly name: string;
  readonly layers: readonly ChartLayer[];
}

/** Beyond so many layers the line between them would hide the marks. */
const maxLine = 200;

/**
 * Sparsity of the layers in order, one or more runs of a model laid over each other (matched by the layer's name;
 * the first run gives the axis), with a line at the target where one is given.
 */
export function SparsityChart(props: {
  runs: readonly SparsityRun[];
  target: number | null;
  locale: Locale;
}): ReactElement {
  const { runs, target, locale } = props;
  const t = labels(locale);
  const layers = runs[0]?.layers ?? [];
  const y = scaleLinear([0, 1], [plot.bottom, plot.top]);
  return (
    <Picture
      width={plot.width}
      height={plot.height}
      label={t('chart.sparsity.label', { runs: runs.map((run) => run.name).join(', ') })}
    >
      <ValueAxis ticks={ticksAt(y, y.ticks(5), (tick) => percent(tick, 0))} title={t('axis.sparsity')} />
      <LayerAxis layers={layers} title={t('axis.blocks')} />
      {target !== null && (
        <line
          x1={plot.left}
          x2={plot.right}
          y1={y(target)}
          y2={y(target)}
          stroke="currentColor"
          strokeDasharray="4 3"
        />
      )}
      {runs.map((run, series) => (
        <RunCurve key={series} run={run} order={layers} series={series} y={y} locale={locale} />
      ))}
      <Legend
        entries={[
          ...(target === null
            ? []
            : [{ key: 'target', text: t('chart.target', { value: percent(target, 1) }), y: y(target), series: null }]),
          ...(runs.length < 2
            ? []
            : runs.map((run, i) => ({
                key: i,
                text: run.name,
                y: plot.bottom,
                series: seriesStyle(i),
              }))),
        ]}
      />
    </Picture>
  );
}

interface RunCurveProps {
  readonly run: SparsityRun;
  readonly order: readonly ChartLayer[];
  readonly series: number;
  readonly y: (sparsity: number) => number;
  readonly locale: Locale;
}

function RunCurve({ run, order, series, y, locale }: RunCurveProps): ReactElement {
  const style = seriesStyle(series);
  const x = layerX(order.length);
  const known = new Map(run.layers.map((layer) => [layer.name, layer.sparsity]));
  const points = order.map(({ name }, i) => ({ name, x: x(i), sparsity: known.get(name) ?? null }));
  const path = line<(typeof points)[number]>()
    .defined((point) => point.sparsity !== null)
    .x((point) => point.x)
    .y((point) => y(point.sparsity ?? 0))
    .curve(curveStep)
    .digits(1);
  return (
    <g>
      {points.length <= maxLine && (
        <path d={path(points) ?? ''} fill="none" stroke={style.fill} strokeDasharray={style.dash} />
      )}
      {points.map(({ name, x: place, sparsity }) =>
        sparsity === null ? null : (
          <SparsityMark
            key={name}
            layer={name}
            run={run.name}
            sparsity={sparsity}
            x={place}
            y={y(sparsity)}
            area={markArea(points.length)}
            series={style}
            locale={locale}
          />
        ),
      )}
    </g>
  );
}

/** Drawn again only when its value or its place changes. */
const SparsityMark = memo(function SparsityMark(props: {
  layer: string;
  run: string;
  sparsity: number;
  x: number;
  y: number;
  area: number;
  series: SeriesStyle;
  locale: Locale;
}): ReactElement {
  const { layer, run, sparsity, locale, ...place } = props;
  const t = labels(locale);
  const title = `${layer}\n${run}\n${t('chart.mark.sparsity', { value: percent(sparsity, 2) })}`;
  return <Mark layer={layer} hollow={false} title={title} {...place} />;
});
