import type { ReactElement } from 'react';

import { sampleWords, type Sample } from '../contract/measured.ts';
import { measures, writeValue, type MeasureId } from '../contract/measures.ts';
import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import { Picture, shorten } from './frame.tsx';
import { axisTitle, measureAxis } from './measure-axis.ts';
import { seriesStyle } from './palette.ts';

export interface MeasureMark {
  readonly key: string;
  readonly name: string;
  readonly value: number;
  /** What it looks like (`seriesStyle`). */
  readonly series: number;
  /** What the chart is about. */
  readonly isMain: boolean;
}

const width = 760;
const left = 232;
const right = 690;
const top = 8;
const rowHeight = 22;
/** The dense model's grey. */
export const denseSeries = 6;

/** Numbers of one measure on one sample along its axis, a row each, in the order given. */
export function MeasureChart(props: {
  measure: MeasureId;
  sample: Sample;
  marks: readonly MeasureMark[];
  locale: Locale;
}): ReactElement {
  const { measure, sample, marks, locale } = props;
  const t = labels(locale);
  const { scale: x, ticks } = measureAxis(
    measure,
    marks.map((mark) => mark.value),
    left,
    right,
  );
  const bottom = top + marks.length * rowHeight;
  const words = { measure: t(`measure.${measure}`), sample: sampleWords(sample, t), marks: marks.length };
  return (
    <Picture width={width} height={bottom + 40} label={t(`chart.measure.label.${measures[measure].contrast}`, words)}>
      {ticks.map(({ at, text }) => (
        <g key={text}>
          <line x1={at} x2={at} y1={top} y2={bottom} stroke="var(--chart-grid, #8886)" />
          <text x={at} y={bottom + 15} textAnchor="middle">
            {text}
          </text>
        </g>
      ))}
      <line x1={left} x2={right} y1={bottom} y2={bottom} stroke="currentColor" />
      <text x={(left + right) / 2} y={bottom + 34} textAnchor="middle">
        {t('measure.on', { ...words, measure: axisTitle(measure, t) })}
      </text>
      {marks.map(({ key, name, value, series, isMain }, row) => {
        const { fill, path } = seriesStyle(series);
        const y = top + (row + 0.5) * rowHeight;
        return (
          <g key={key} data-measured={key} transform={`translate(0 ${y})`} fontWeight={isMain ? 650 : 400}>
            <title>{`${name}: ${writeValue(measure, value)}`}</title>
            <text x={left - 12} dy="0.35em" textAnchor="end">
              {shorten(name, left - 16)}
            </text>
            <path
              d={path(64)}
              transform={`translate(${x(value).toFixed(1)} 0)`}
              fill={fill}
              stroke="currentColor"
              strokeWidth={0.6}
            />
            <text x={x(value) + 9} dy="0.35em">
              {writeValue(measure, value)}
            </text>
          </g>
        );
      })}
    </Picture>
  );
}
