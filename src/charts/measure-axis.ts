import { scaleLinear, scaleLog, type ScaleLinear, type ScaleLogarithmic } from 'd3-scale';

import { measures, writeValue, type MeasureId } from '../contract/measures.ts';
import { extent, log10 } from './data.ts';
import { ticksAt, type Tick } from './frame.tsx';
import { around, ticksAround } from './log-axis.ts';

interface MeasureAxis {
  readonly scale: ScaleLinear<number, number> | ScaleLogarithmic<number, number>;
  readonly ticks: readonly Tick[];
}

/** The axis for values of a measure over the places `from` to `to`: log where their ratio counts, else even. */
export function measureAxis(measure: MeasureId, values: readonly number[], from: number, to: number): MeasureAxis {
  const write = (tick: number): string => writeValue(measure, tick).replace(/\.0+(?=$| )/, '');
  if (measures[measure].contrast === 'ratio') {
    const [low, high] = extent(values.map(log10)) ?? [1, 2];
    const scale = scaleLog(around(low, high), [from, to]);
    return { scale, ticks: ticksAt(scale, ticksAround(scale), write) };
  }
  const [least, most] = measures[measure].range;
  const [low, high] = extent(values) ?? [least, most];
  const room = 0.06 * (high - low) || 0.06 * Math.abs(high) || 1;
  const scale = scaleLinear([Math.max(least, low - room), Math.min(most, high + room)], [from, to]);
  return { scale, ticks: ticksAt(scale, scale.ticks(5), write) };
}
