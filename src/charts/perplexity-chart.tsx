import { scaleLog } from 'd3-scale';
import type { ReactElement } from 'react';

import { perplexity } from '../contract/format.ts';
import type { Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import type { Measure } from '../contract/measure.ts';
import { extent, log10 } from './data.ts';
import { Picture, shorten } from './frame.tsx';
import { around, ticksAround } from './log-axis.ts';
import { seriesStyle } from './palette.ts';

export interface PerplexityMark {
  readonly key: string;
  readonly name: string;
  readonly perplexity: number;
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

/** Perplexities by one measure on a log axis, a row each, in the order given. */
export function PerplexityChart(props: {
  measure: Measure;
  marks: readonly PerplexityMark[];
  locale: Locale;
}): ReactElement {
  const { measure, marks, locale } = props;
  const t = labels(locale);
  const [low, high] = extent(marks.map((mark) => log10(mark.perplexity))) ?? [1, 2];
  const x = scaleLog(around(low, high), [left, right]);
  const bottom = top + marks.length * rowHeight;
  return (
    <Picture
      width={width}
      height={bottom + 40}
      label={t('chart.perplexity.label', { ...measure, marks: marks.length })}
    >
      {ticksAround(x).map((tick) => (
        <g key={tick}>
          <line x1={x(tick)} x2={x(tick)} y1={top} y2={bottom} stroke="var(--chart-grid, #8886)" />
          <text x={x(tick)} y={bottom + 15} textAnchor="middle">
            {perplexity(tick).replace(/\.00$/, '')}
          </text>
        </g>
      ))}
      <line x1={left} x2={right} y1={bottom} y2={bottom} stroke="currentColor" />
      <text x={(left + right) / 2} y={bottom + 34} textAnchor="middle">
        {t('axis.perplexity-by', { ...measure })}
      </text>
      {marks.map(({ key, name, perplexity: value, series, isMain }, row) => {
        const { fill, path } = seriesStyle(series);
        const y = top + (row + 0.5) * rowHeight;
        return (
          <g key={key} data-perplexity={key} transform={`translate(0 ${y})`} fontWeight={isMain ? 650 : 400}>
            <title>{`${name}: ${perplexity(value)}`}</title>
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
              {perplexity(value)}
            </text>
          </g>
        );
      })}
    </Picture>
  );
}
