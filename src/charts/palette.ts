import { scaleLinear } from 'd3-scale';
import {
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond2,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  type SymbolType,
} from 'd3-shape';

/** Okabe and Ito's colours, told apart without colour vision, with grey for their yellow, which white paper hides; and text on each. */
const colours = [
  { fill: '#0072b2', text: '#fff' },
  { fill: '#d55e00', text: '#000' },
  { fill: '#009e73', text: '#000' },
  { fill: '#cc79a7', text: '#000' },
  { fill: '#e69f00', text: '#000' },
  { fill: '#56b4e9', text: '#000' },
  { fill: '#767676', text: '#fff' },
] as const;
const shapes: readonly SymbolType[] = [
  symbolCircle,
  symbolSquare,
  symbolTriangle,
  symbolDiamond2,
  symbolCross,
  symbolStar,
];
const dashes = ['none', '6 3', '2 2', '9 3 2 3', '1 3', '12 4'] as const;

/** How the series (group, run, type of layer) of a number is drawn: 42 of them differ in colour or shape. */
export interface SeriesStyle {
  readonly fill: string;
  readonly text: string;
  readonly dash: string;
  /** SVG path of the mark around (0, 0), `area` in square units. */
  readonly path: (area: number) => string;
}

/** The same object for the same number, so that marks need not be drawn again. */
export function seriesStyle(series: number): SeriesStyle {
  const style = styles[series % styles.length];
  if (style === undefined) throw new Error(`no style for series ${series}`);
  return style;
}

const styles: readonly SeriesStyle[] = Array.from({ length: colours.length * shapes.length }, (_, series) => {
  const colour = colours[series % colours.length] ?? colours[0];
  const shape = shapes[series % shapes.length] ?? symbolCircle;
  return { ...colour, dash: dashes[series % dashes.length] ?? 'none', path: (area) => symbol(shape, area)() ?? '' };
});

const viridis = ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'];
const ramp = scaleLinear<string>()
  .domain(viridis.map((_, i) => i / (viridis.length - 1)))
  .range(viridis)
  .clamp(true);

/** Colour of a value from 0 to 1 (viridis), and black or white text, whichever has the larger contrast on it. */
export function sequential(value: number): { fill: string; text: string } {
  return { fill: ramp(value), text: value < 0.44 ? '#fff' : '#000' };
}
