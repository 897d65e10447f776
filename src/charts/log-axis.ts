import { scaleLinear, type ScaleLogarithmic } from 'd3-scale';

import { powerOfTen, significant } from '../contract/format.ts';

type LogScale = ScaleLogarithmic<number, number>;

/** The domain of a log axis for values of these log10: a little more than they need, and at least the decade around them. */
export function decades(low: number, high: number): [number, number] {
  return high - low < 1
    ? [10 ** Math.floor(low), 10 ** Math.max(Math.ceil(high), Math.floor(low) + 1)]
    : [10 ** (low - 0.1), 10 ** (high + 0.1)];
}

/** Powers of ten, and 2 and 5 times them where there are few. */
export function logTicks(scale: LogScale): number[] {
  const all = scale.ticks(3);
  const mantissa = (tick: number): number => Math.round(tick / 10 ** Math.floor(Math.log10(tick) + 1e-9));
  const powers = all.filter((tick) => mantissa(tick) === 1);
  return powers.length > 2 ? powers : all.filter((tick) => [1, 2, 5].includes(mantissa(tick)));
}

export function writeLogTick(tick: number): string {
  const power = Math.log10(tick);
  const whole = Math.round(power);
  return (tick < 1e-3 || tick >= 1e5) && Math.abs(power - whole) < 1e-6 ? powerOfTen(whole) : significant(tick, 1);
}

/** A domain that leaves a little room on both sides of the values. */
export function around(low: number, high: number): [number, number] {
  const room = Math.max(0.03, 0.06 * (high - low));
  return [10 ** (low - room), 10 ** (high + room)];
}

/** Even steps where the axis spans less than a decade, where powers of ten would leave it bare. */
export function ticksAround(scale: LogScale): number[] {
  const [low = 1, high = 10] = scale.domain();
  return high / low < 10 ? scaleLinear([low, high], [0, 1]).ticks(5) : logTicks(scale);
}
