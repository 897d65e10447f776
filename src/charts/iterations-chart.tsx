import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import type { ReactElement } from 'react';

import { percent, significant } from '../contract/format.ts';
import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import type { Iteration } from '../contract/report.ts';
import { extent, iterationsByType, log10, type ChartLayer } from './data.ts';
import { BottomAxis, Mark, Picture, plot, ticksAt, linearTicks, ValueAxis, type Frame } from './frame.tsx';
import { decades, logTicks, writeLogTick } from './log-axis.ts';
import { seriesStyle } from './palette.ts';
import { TypeLegend } from './type-legend.tsx';

/** Width of the picture and of the plots in it: of layers of one type, which need no legend, and of several. */
const widths = { one: { picture: 380, right: 366 }, several: { picture: plot.width, right: plot.right } } as const;
/** The plot of errors is above that of changes. */
const heights = { errors: [plot.top, 128], changes: [152, plot.bottom] } as const;
/** Square units of a mark. */
const area = 12;

/**
 * How iterations over the layers went: the relative output error so far, on a log axis, and below it the share of the kept weights
 * that changed. Of several layers of a type their medians.
 */
export function IterationsChart({ layers, locale }: { layers: readonly ChartLayer[]; locale: Locale }): ReactElement {
  const t = labels(locale);
  const iterated = layers.filter(({ iterations }) => iterations !== null);
  const types = iterationsByType(layers);
  const all = types.flatMap(([, iterations]) => iterations);
  const { picture, right } = types.length > 1 ? widths.several : widths.one;
  const frameOf = ([top, bottom]: readonly [number, number]): Frame => ({ left: plot.left, right, top, bottom });
  const [errors, changes] = [frameOf(heights.errors), frameOf(heights.changes)];
  const last = Math.max(2, ...types.map(([, { length }]) => length));
  const x = scaleLinear([1, last], [plot.left + 6, right - 6]);
  const [low, high] = extent(all.map(({ error }) => log10(error))) ?? [-1, 0];
  const error = scaleLog(decades(low, high), [errors.bottom, errors.top]);
  const most = Math.max(...all.map(({ changed }) => changed), 0);
  const change = scaleLinear([0, most > 0 ? 100 * most : 1], [changes.bottom, changes.top]).nice(3);
  const numbers = x.ticks(8).filter(Number.isInteger);
  return (
    <Picture
      width={picture}
      height={plot.height}
      label={t('chart.iterations.label', { layers: iterated.length, iterations: all.length === 0 ? 0 : last })}
    >
      <ValueAxis frame={errors} ticks={ticksAt(error, logTicks(error), writeLogTick)} title={t('axis.error-so-far')} />
      <ValueAxis frame={changes} ticks={linearTicks(change, 3)} title={t('axis.changed')} />
      <BottomAxis frame={changes} ticks={ticksAt(x, numbers, String)} title={t('axis.iteration')} />
      {types.map(([type, iterations], series) => (
        <g key={type}>
          <Curve
            type={type}
            points={iterations.map((one, i) => ({
              x: x(i + 1),
              y: one.error > 0 ? error(one.error) : errors.bottom,
              hollow: one.error <= 0,
              title: titleOf(type, i, one, locale),
            }))}
            series={series}
          />
          <Curve
            type={type}
            points={iterations.map((one, i) => ({
              x: x(i + 1),
              y: change(100 * one.changed),
              hollow: false,
              title: titleOf(type, i, one, locale),
            }))}
            series={series}
          />
        </g>
      ))}
      {types.length > 1 && <TypeLegend layers={layers} />}
    </Picture>
  );
}

function titleOf(type: string, i: number, { changed, error }: Iteration, locale: Locale): string {
  const t = labels(locale);
  return [
    type,
    t('chart.mark.iteration', { iteration: i + 1 }),
    t('chart.mark.error', { value: significant(error, 3) }),
    t('chart.mark.changed', { value: percent(changed, 2) }),
    ...(error > 0 ? [] : [t('chart.zero')]),
  ].join('\n');
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly hollow: boolean;
  readonly title: string;
}

function Curve(props: { type: string; points: readonly Point[]; series: number }): ReactElement {
  const { type, points, series } = props;
  const style = seriesStyle(series);
  const path = line<Point>(
    (point) => point.x,
    (point) => point.y,
  ).digits(1);
  return (
    <>
      <path
        d={path(points.filter(({ hollow }) => !hollow)) ?? ''}
        fill="none"
        stroke={style.fill}
        strokeDasharray={style.dash}
        opacity={0.7}
      />
      {points.map((point, i) => (
        <Mark key={i} layer={type} area={area} series={style} {...point} />
      ))}
    </>
  );
}
