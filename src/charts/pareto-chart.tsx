import { scaleLinear } from 'd3-scale';
import { curveStepAfter, line } from 'd3-shape';
import { memo, type ReactElement } from 'react';

import { bytes, percent } from '../contract/format.ts';
import { sampleWords, type Sample } from '../contract/measured.ts';
import { writeValue, type MeasureId } from '../contract/measures.ts';
import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import { paretoFront } from './pareto.ts';
import { extent } from './data.ts';
import { BottomAxis, Legend, linearTicks, Picture, plot, ValueAxis } from './frame.tsx';
import { axisTitle, measureAxis } from './measure-axis.ts';
import { seriesStyle, type SeriesStyle } from './palette.ts';

export interface ParetoPoint {
  readonly id: string;
  readonly name: string;
  readonly modelName: string;
  readonly nonZeroBytes: number;
  /** Share of zeros in the pruned layers. */
  readonly sparsity: number;
  /** By the chart's measure. */
  readonly value: number;
}

/**
 * Size against one measure on one sample of runs, a mark a model, and through each model's marks its Pareto front: the runs
 * that no other run of the model betters in both. Models are not set against each other: their tokens may differ.
 */
export function ParetoChart(props: {
  measure: MeasureId;
  sample: Sample;
  points: readonly ParetoPoint[];
  /** Ids of runs to be ringed. */
  selected: ReadonlySet<string>;
  locale: Locale;
}): ReactElement {
  const { measure, sample, points, selected, locale } = props;
  const t = labels(locale);
  const name = t(`measure.${measure}.in-text`);
  const models = [...new Set(points.map((point) => point.modelName))];
  const { unit, name: unitName } = byteUnit(Math.max(1, ...points.map((point) => point.nonZeroBytes)));
  const [least, most] = extent(points.map((point) => point.nonZeroBytes / unit)) ?? [0, 1];
  const room = 0.05 * (most - least) || 0.05 * most || 0.5;
  const x = scaleLinear([Math.max(0, least - room), most + room], [plot.left, plot.right]);
  const values = points.map((point) => point.value);
  const { scale: y, ticks } = measureAxis(measure, values, plot.bottom, plot.top);
  const place = (point: ParetoPoint): [x: number, y: number] => [x(point.nonZeroBytes / unit), y(point.value)];
  const stairs = line().curve(curveStepAfter).digits(1);
  return (
    <Picture
      width={plot.width}
      height={plot.height + 12}
      label={t('chart.pareto.label', { measure: name, sample: sampleWords(sample, t), runs: points.length })}
    >
      <ValueAxis ticks={ticks} title={axisTitle(measure, t)} />
      <BottomAxis ticks={linearTicks(x, 6)} title={t('axis.size', { unit: unitName })} />
      <text x={(plot.left + plot.right) / 2} y={plot.height + 4} textAnchor="middle">
        {sampleWords(sample, t)}
      </text>
      {models.map((model, series) => {
        const front = paretoFront(
          points.filter((point) => point.modelName === model),
          measure,
        );
        const { fill, dash } = seriesStyle(series);
        return <path key={model} d={stairs(front.map(place)) ?? ''} fill="none" stroke={fill} strokeDasharray={dash} />;
      })}
      {points.map((point) => (
        <RunMark
          key={point.id}
          run={point.id}
          x={place(point)[0]}
          y={place(point)[1]}
          series={seriesStyle(models.indexOf(point.modelName))}
          selected={selected.has(point.id)}
          title={[
            point.name,
            point.modelName,
            t('chart.mark.measure', { measure: name, value: writeValue(measure, point.value) }),
            t('chart.mark.size', { value: bytes(point.nonZeroBytes) }),
            t('chart.mark.sparsity', { value: percent(point.sparsity, 2) }),
          ].join('\n')}
        />
      ))}
      <Legend
        entries={models.map((model, series) => ({ key: model, text: model, y: plot.top, series: seriesStyle(series) }))}
      />
    </Picture>
  );
}

interface RunMarkProps {
  readonly run: string;
  readonly x: number;
  readonly y: number;
  readonly series: SeriesStyle;
  readonly selected: boolean;
  readonly title: string;
}

const RunMark = memo(function RunMark({ run, x, y, series, selected, title }: RunMarkProps): ReactElement {
  return (
    <g data-run={run} transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}>
      <title>{title}</title>
      {selected && <circle r={8.5} fill="none" stroke="currentColor" strokeWidth={2} />}
      <path d={series.path(42)} fill={series.fill} stroke="currentColor" strokeWidth={0.6} />
    </g>
  );
});

/** The largest binary unit that so many bytes fill once. */
function byteUnit(count: number): { unit: number; name: string } {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(names.length - 1, Math.floor(Math.log2(count) / 10));
  return { unit: 1024 ** power, name: names[power] ?? 'B' };
}
