import { scaleLinear, scaleLog, type ScaleLinear, type ScaleLogarithmic } from 'd3-scale';

import { measures, type MeasureId } from '../contract/measures.ts';
import type { Label } from '../contract/messages/labels.ts';
import { extent, log10 } from './data.ts';
import { ticksAt, type Tick } from './frame.tsx';
import { around, ticksAround } from './log-axis.ts';

interface MeasureAxis {
  readonly scale: ScaleLinear<number, number> | ScaleLogarithmic<number, number>;
  readonly ticks: readonly Tick[];
}

/** The title of a measure's axis: its name, with the unit that the ticks leave out. */
export function axisTitle(measure: MeasureId, t: Label): string {
  const { unit } = measures[measure];
  const name = t(`measure.${measure}.in-text`);
  return unit === null ? name : `${name}, ${unit}`;
}

/** The axis for values of a measure over the places `from` to `to`: log where their ratio counts, else even. */
export function measureAxis(measure: MeasureId, values: readonly number[], from: number, to: number): MeasureAxis {
  const { write, contrast } = measures[measure];
  if (contrast === 'ratio') {
    const [low, high] = extent(values.map(log10)) ?? [1, 2];
    const scale = scaleLog(around(low, high), [from, to]);
    return { scale, ticks: ticksAt(scale, ticksAround(scale), (tick) => write(tick).replace(/\.0+$/, '')) };
  }
  const [least, most] = measures[measure].range;
  const [low, high] = extent(values) ?? [least, most];
  const room = 0.06 * (high - low) || 0.06 * Math.abs(high) || 1;
  const scale = scaleLinear([Math.max(least, low - room), Math.min(most, high + room)], [from, to]);
  const places = scale.ticks(5);
  // As few decimals as tell them apart.
  const decimals = [0, 1, 2, 3].find((some) => new Set(places.map((tick) => write(tick, some))).size === places.length);
  return { scale, ticks: ticksAt(scale, places, (tick) => write(tick, decimals)) };
}
