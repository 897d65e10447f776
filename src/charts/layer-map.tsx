import { scaleLinear } from 'd3-scale';
import { memo, useMemo, type ReactElement } from 'react';

import type { Locale } from '../contract/messages/index.ts';
import { labels, type LabelKey } from '../contract/messages/labels.ts';
import { bitWidths } from '../contract/recipe/fields.ts';
import { byBlock, columnsOf, extent, log10, type ChartLayer } from './data.ts';
import { fixed, percent, significant } from '../contract/format.ts';
import { Picture } from './frame.tsx';
import { sequential, seriesStyle } from './palette.ts';

export type LayerMapValue = 'sparsity' | 'bits' | 'error' | 'estimate' | 'sensitivity' | 'group';

interface Shade {
  readonly fill: string;
  readonly text: string;
}

/** How a cell's value is read, written and coloured; the legend's bar runs from `low` to `high`. */
interface Reading {
  readonly name: LayerMapValue;
  readonly of: (layer: ChartLayer) => number | null;
  readonly write: (value: number) => string;
  readonly shade: (value: number) => Shade;
  /** What null means of a layer that is finished. */
  readonly none: LabelKey;
  /** Ends of the legend's bar with their labels; null for groups and bits, which have swatches. */
  readonly range: { readonly low: string; readonly high: string } | null;
}

const left = 46;
const top = 26;
const legendHeight = 46;
/** Rows lower than this have no numbers: nobody can read them, and to lay out hundreds takes long. */
const lowRow = 14;

/** Ends of the colour scale of estimates, sensitivities and errors, log10. */
export type LayerMapRange = readonly [low: number, high: number];

/** The ends that maps of these layers share, side by side; null for values whose scale is always the same. */
export function layerMapRange(colourBy: LayerMapValue, layers: readonly ChartLayer[]): LayerMapRange | null {
  if (colourBy === 'sparsity' || colourBy === 'group' || colourBy === 'bits') return null;
  return extent(layers.map((layer) => log10(layer[colourBy])));
}

/**
 * The layers of a model: a row a block, a column a layer of the block, coloured by one value with the value in the cell where it can be read.
 * Cells of layers without the value are dashed. `range` is that of the layers themselves where none is given.
 */
export function LayerMap(props: {
  layers: readonly ChartLayer[];
  colourBy: LayerMapValue;
  range?: LayerMapRange | null;
  locale: Locale;
}): ReactElement {
  const { layers, colourBy, range, locale } = props;
  const t = labels(locale);
  const columns = columnsOf(layers);
  const blocks = byBlock(layers);
  const [low, high] = range ?? layerMapRange(colourBy, layers) ?? [0, 1];
  const reading = useMemo(() => readingOf(colourBy, low, high), [colourBy, low, high]);
  const height = Math.min(22, Math.max(10, Math.floor(1000 / Math.max(1, blocks.length))));
  const width = Math.min(104, Math.max(34, Math.floor(700 / Math.max(1, columns.length))));
  const places = new Map(columns.map(({ type }, column) => [type, left + column * width]));
  const bottom = top + blocks.length * height;
  const name = t(`chart.layer-map.${colourBy}`);
  const isInPart = colourBy === 'bits' && layers.some(({ bits, sparsity }) => bits === null && sparsity !== null);
  const legend = isInPart ? `${name}; –: ${t('chart.not-quantized')}` : name;
  return (
    <Picture
      width={Math.max(320, left + columns.length * width + 8)}
      height={bottom + legendHeight}
      label={t('chart.layer-map.label', { value: name, blocks: blocks.length, columns: columns.length })}
    >
      <text x={left - 8} y={top - 9} textAnchor="end">
        {t('axis.block')}
      </text>
      {columns.map(({ type, heading }, column) => (
        <text key={type} x={left + (column + 0.5) * width} y={top - 9} textAnchor="middle">
          {fits(heading, width, 11) ? heading : `${heading.slice(0, Math.floor(width / 7))}…`}
          <title>{type}</title>
        </text>
      ))}
      {blocks.map(([block, inBlock], row) => (
        <g key={block} transform={`translate(0 ${top + row * height})`} fontSize={Math.min(11, height - 2)}>
          <text x={left - 8} y={height / 2} dy="0.35em" textAnchor="end">
            {block}
          </text>
          {inBlock.map((layer) => (
            <Cell
              key={layer.name}
              layer={layer}
              reading={reading}
              x={places.get(layer.type) ?? left}
              width={width}
              height={height}
              locale={locale}
            />
          ))}
        </g>
      ))}
      <g transform={`translate(${left} ${bottom + 14})`}>
        {reading.range ? (
          <Bar {...reading.range} title={name} />
        ) : (
          <Swatches layers={layers} reading={reading} title={legend} />
        )}
      </g>
    </Picture>
  );
}

const unknown: Shade = { fill: 'none', text: 'currentColor' };

function readingOf(name: LayerMapValue, low: number, high: number): Reading {
  const none = 'chart.none';
  if (name === 'sparsity') {
    const range = { low: '0', high: '100' };
    const write = (value: number): string => percent(value, 1);
    return { name, of: (layer) => layer.sparsity, write, shade: sequential, none, range };
  }
  if (name === 'group')
    return { name, of: (layer) => layer.group, write: String, shade: seriesStyle, none, range: null };
  if (name === 'bits') {
    const shade = (bits: number): Shade => seriesStyle(bitWidths.findIndex((width) => width >= bits));
    return { name, of: (layer) => layer.bits, write: String, shade, none: 'chart.not-quantized', range: null };
  }

  const of = (layer: ChartLayer): number | null => layer[name];
  const place = scaleLinear([low, high === low ? low + 1 : high], [0, 1]);
  const shade = (value: number): Shade => sequential(value > 0 ? place(Math.log10(value)) : 0);
  if (name === 'error') {
    const range = { low: significant(10 ** low, 2), high: significant(10 ** high, 2) };
    return { name, of, write: (value) => significant(value, 2), shade, none, range };
  }
  const write = (value: number): string => (value > 0 ? fixed(Math.log10(value), 2) : `−∞`);
  return { name, of, write, shade, none, range: { low: fixed(low, 2), high: fixed(high, 2) } };
}

interface CellProps {
  readonly layer: ChartLayer;
  readonly reading: Reading;
  readonly x: number;
  readonly width: number;
  readonly height: number;
  readonly locale: Locale;
}

/** Drawn again only when its layer changes: a run fills hundreds of cells while it goes. */
const Cell = memo(function Cell({ layer, reading, x, width, height, locale }: CellProps): ReactElement {
  const t = labels(locale);
  const value = reading.of(layer);
  const text = value === null ? null : reading.write(value);
  const shade = value === null ? unknown : reading.shade(value);
  const none = t(layer.sparsity === null ? 'chart.none' : reading.none);
  return (
    <g data-layer={layer.name}>
      <title>{`${layer.name}\n${t(`chart.layer-map.${reading.name}`)}: ${text ?? none}`}</title>
      <rect
        x={x + 0.5}
        y={0.5}
        width={width - 1}
        height={height - 1}
        fill={shade.fill}
        stroke="var(--chart-grid, #8886)"
        strokeDasharray={value === null ? '2 2' : 'none'}
      />
      {height >= lowRow && fits(text ?? '–', width, height - 2) && (
        <text x={x + width / 2} y={height / 2} dy="0.35em" textAnchor="middle" fill={shade.text}>
          {text ?? '–'}
        </text>
      )}
    </g>
  );
});

/** Digits and latin letters are about 0.6 of the font's size wide. */
function fits(text: string, width: number, fontSize: number): boolean {
  return text.length * 0.6 * Math.min(11, fontSize) <= width - 4;
}

const barSteps = Array.from({ length: 40 }, (_, i) => i / 39);

const Bar = memo(function Bar({ low, high, title }: { low: string; high: string; title: string }): ReactElement {
  return (
    <g>
      {barSteps.map((value, i) => (
        <rect key={value} x={i * 4} width={4.2} height={9} fill={sequential(value).fill} />
      ))}
      <text y={22}>{low}</text>
      <text x={160} y={22} textAnchor="end">
        {high}
      </text>
      <text x={170} y={8.5}>
        {title}
      </text>
    </g>
  );
});

function Swatches(props: { layers: readonly ChartLayer[]; reading: Reading; title: string }): ReactElement {
  const { layers, reading, title } = props;
  const values = [...new Set(layers.map(reading.of).filter((value) => value !== null))].sort((a, b) => a - b);
  return (
    <g>
      {values.map((value, i) => (
        <g key={value} transform={`translate(${(i % 20) * 22} 0)`}>
          <rect width={18} height={12} y={-2} fill={reading.shade(value).fill} />
          <text x={9} y={4} dy="0.35em" textAnchor="middle" fontSize={9} fill={reading.shade(value).text}>
            {reading.write(value)}
          </text>
        </g>
      ))}
      <text y={24}>{title}</text>
    </g>
  );
}
