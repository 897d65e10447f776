import { scaleLinear, type ScaleLinear, type ScaleLogarithmic } from 'd3-scale';
import { memo, type ReactElement, type ReactNode } from 'react';

import { fixed } from '../contract/format.ts';
import type { Locale } from '../contract/messages/index.ts';
import { byBlock, type ChartLayer } from './data.ts';
import type { SeriesStyle } from './palette.ts';

const grid = 'var(--chart-grid, #8886)';
const fontSize = 11;

/** An SVG of its natural size that shrinks with its place; its text has the colour of the text around it. */
export function Picture(props: { width: number; height: number; label: string; children: ReactNode }): ReactElement {
  const { width, height, label, children } = props;
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      fill="currentColor"
      fontFamily="system-ui, sans-serif"
      fontSize={fontSize}
      style={{ maxWidth: '100%', height: 'auto' }}
    >
      {children}
    </svg>
  );
}

/** The frame that all charts over the layers share, so that one above the other they line up. */
export const plot = { width: 760, height: 260, left: 58, right: 604, top: 12, bottom: 216 } as const;

/** Where a plot lies in its picture. */
export type Frame = Readonly<Record<'left' | 'right' | 'top' | 'bottom', number>>;

/** Place of layer i of n, in the middle of its share of the axis. */
export function layerX(n: number): ScaleLinear<number, number> {
  return scaleLinear([-0.5, n - 0.5], [plot.left, plot.right]);
}

/** Area of a mark in square units: as large as n of them side by side allow. */
export function markArea(n: number): number {
  return Math.min(42, Math.max(7, ((plot.right - plot.left) / n) ** 2 * 0.6));
}

interface LayerAxisProps {
  readonly layers: readonly ChartLayer[];
  readonly title: string;
}

/** The axis of all layers in order: a line where a block begins, its number below. */
export const LayerAxis = memo(function LayerAxis({ layers, title }: LayerAxisProps): ReactElement {
  const x = layerX(layers.length);
  const blocks = byBlock(layers);
  const step = [1, 2, 4, 8, 16, 32].find((every) => ((plot.right - plot.left) / blocks.length) * every >= 26) ?? 64;
  let first = 0;
  return (
    <g>
      {blocks.map(([block, inBlock], i) => {
        const [begin, middle] = [x(first - 0.5), x(first + (inBlock.length - 1) / 2)];
        first += inBlock.length;
        return i % step !== 0 ? null : (
          <g key={block}>
            <line x1={begin} x2={begin} y1={plot.top} y2={plot.bottom} stroke={grid} />
            <text x={step === 1 ? middle : begin} y={plot.bottom + 15} textAnchor="middle">
              {block}
            </text>
          </g>
        );
      })}
      <BottomLine title={title} frame={plot} />
    </g>
  );
}, sameBlocks);

function BottomLine({ title, frame }: { title: string; frame: Frame }): ReactElement {
  const { left, right, bottom } = frame;
  return (
    <>
      <line x1={left} x2={right} y1={bottom} y2={bottom} stroke="currentColor" />
      <text x={(left + right) / 2} y={bottom + 34} textAnchor="middle">
        {title}
      </text>
    </>
  );
}

/** What a run measures of its layers does not move the axis. */
function sameBlocks(a: LayerAxisProps, b: LayerAxisProps): boolean {
  return (
    a.title === b.title &&
    a.layers.length === b.layers.length &&
    a.layers.every((layer, i) => layer.block === b.layers[i]?.block)
  );
}

type ValueScale = ScaleLinear<number, number> | ScaleLogarithmic<number, number>;

export interface Tick {
  /** Place along the axis. */
  readonly at: number;
  readonly text: string;
}

export function ticksAt(scale: ValueScale, values: readonly number[], format: (value: number) => string): Tick[] {
  return values.map((value) => ({ at: scale(value), text: format(value) }));
}

/** About `count` even steps of an axis, with the decimals that tell them apart. */
export function linearTicks(scale: ScaleLinear<number, number>, count: number): Tick[] {
  const values = scale.ticks(count);
  const [first = 0, second = first + 1] = values;
  const decimals = Math.max(0, -Math.floor(Math.log10(Math.abs(second - first)) + 1e-9));
  return ticksAt(scale, values, (value) => fixed(value, decimals));
}

const sides = ['left', 'right', 'top', 'bottom'] as const;

interface AxisProps {
  readonly ticks: readonly Tick[];
  readonly title: string;
  /** The plot that it belongs to; the charts' own where it is left out. */
  readonly frame?: Frame;
}

function sameTicks(a: AxisProps, b: AxisProps): boolean {
  return (
    a.title === b.title &&
    sides.every((side) => a.frame?.[side] === b.frame?.[side]) &&
    a.ticks.length === b.ticks.length &&
    a.ticks.every(({ at, text }, i) => at === b.ticks[i]?.at && text === b.ticks[i].text)
  );
}

/** The upright axis with its lines across the plot. */
export const ValueAxis = memo(function ValueAxis({ ticks, title, frame = plot }: AxisProps): ReactElement {
  const { left, right, top, bottom } = frame;
  return (
    <g>
      {ticks.map(({ at, text }) => (
        <g key={text}>
          <line x1={left} x2={right} y1={at} y2={at} stroke={grid} />
          <text x={left - 6} y={at} dy="0.35em" textAnchor="end">
            {text}
          </text>
        </g>
      ))}
      <text transform={`translate(13 ${(top + bottom) / 2}) rotate(-90)`} textAnchor="middle">
        {title}
      </text>
    </g>
  );
}, sameTicks);

/** The level axis of a value, below the plot. */
export const BottomAxis = memo(function BottomAxis({ ticks, title, frame = plot }: AxisProps): ReactElement {
  const { top, bottom } = frame;
  return (
    <g>
      {ticks.map(({ at, text }) => (
        <g key={text}>
          <line x1={at} x2={at} y1={top} y2={bottom} stroke={grid} />
          <text x={at} y={bottom + 15} textAnchor="middle">
            {text}
          </text>
        </g>
      ))}
      <BottomLine title={title} frame={frame} />
    </g>
  );
}, sameTicks);

interface MarkProps {
  readonly layer: string;
  readonly x: number;
  readonly y: number;
  readonly area: number;
  readonly series: SeriesStyle;
  readonly hollow: boolean;
  readonly title: string;
}

/** A layer's mark on a chart: where it stands, and in which series. */
export interface LayerMarkProps {
  readonly layer: ChartLayer;
  readonly x: number;
  readonly y: number;
  /** Square units. */
  readonly area: number;
  readonly series: number;
  readonly locale: Locale;
}

/** One value of one layer. Hollow = the value is below what the axis can show. */
export const Mark = memo(function Mark({ layer, x, y, area, series, hollow, title }: MarkProps): ReactElement {
  return (
    <path
      data-layer={layer}
      d={series.path(area)}
      transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}
      fill={hollow ? 'none' : series.fill}
      stroke={hollow ? series.fill : 'currentColor'}
      strokeWidth={hollow ? 1 : area > 20 ? 0.6 : 0}
    >
      <title>{title}</title>
    </path>
  );
});

/** About as wide as the characters are in the charts' font: Han and its like are square. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += character > '\u2e80' ? fontSize : 0.62 * fontSize;
  return width;
}

/** As much of a text as fits into so many units. */
export function shorten(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let end = text.length;
  while (end > 1 && widthOf(`${text.slice(0, end)}…`) > width) end--;
  return `${text.slice(0, end)}…`;
}

export interface LegendEntry {
  readonly key: string | number;
  readonly text: string;
  /** Height of what the entry names; the entry is put as near to it as the others allow. */
  readonly y: number;
  readonly series: SeriesStyle | null;
}

const legendWidth = plot.width - plot.right - 24;

/** Names beside the right edge of the plot, each with its mark. */
export function Legend({ entries }: { entries: readonly LegendEntry[] }): ReactElement {
  const places = spread(
    entries.map((entry) => entry.y),
    15,
  );
  return (
    <g>
      {entries.map(({ key, text, series }, i) => (
        <g key={key} transform={`translate(${plot.right + 12} ${(places[i] ?? 0).toFixed(1)})`}>
          {series && <path d={series.path(42)} fill={series.fill} stroke="currentColor" strokeWidth={0.6} />}
          <text x={series ? 10 : -4} dy="0.35em">
            {shorten(text, legendWidth)}
            {shorten(text, legendWidth) !== text && <title>{text}</title>}
          </text>
        </g>
      ))}
    </g>
  );
}

/** The heights moved apart to at least `gap` from each other, from the top down, and kept inside the plot. */
function spread(heights: readonly number[], gap: number): number[] {
  const placed = new Array<number>(heights.length).fill(0);
  const order = heights.map((_, i) => i).sort((a, b) => (heights[a] ?? 0) - (heights[b] ?? 0));
  let next = plot.top;
  order.forEach((index, rank) => {
    const room = plot.bottom - (order.length - 1 - rank) * gap;
    const y = Math.max(next, Math.min(heights[index] ?? 0, room));
    placed[index] = y;
    next = y + gap;
  });
  return placed;
}
