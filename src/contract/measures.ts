import { z } from 'zod';

import { fixed, perplexity } from './format.ts';
import type { Label, LabelKey } from './messages/labels.ts';

/** What can be measured of a model on data; its words are `measure.ID` and its like in `messages/`. */
export const measureIds = ['perplexity', 'bits-per-byte'] as const;
export const measureIdSchema = z.enum(measureIds);
export type MeasureId = (typeof measureIds)[number];

export interface Measure {
  /** Which way its numbers get better. */
  readonly better: 'lower' | 'higher';
  /** What is written behind its numbers; null = nothing. */
  readonly unit: string | null;
  /** Least and largest number that it can come to. */
  readonly range: readonly [least: number, most: number];
  /** How two numbers are set against each other: by a ratio, and drawn on a log axis, or by a difference, and drawn on an even one. */
  readonly contrast: 'ratio' | 'difference';
  /** A number without its unit, with so many decimals in place of the usual ones. */
  readonly write: (value: number, decimals?: number) => string;
  /** The measure that says the same in another unit: its numbers stand beside those, without pictures and rows of their own. */
  readonly restates: MeasureId | null;
}

export const measures: Readonly<Record<MeasureId, Measure>> = {
  perplexity: {
    better: 'lower',
    unit: null,
    range: [1, Infinity],
    contrast: 'ratio',
    write: perplexity,
    restates: null,
  },
  'bits-per-byte': {
    better: 'lower',
    unit: null,
    range: [0, Infinity],
    contrast: 'ratio',
    write: (value, decimals = 3) => fixed(value, decimals),
    restates: 'perplexity',
  },
};

/** The measures with pictures and rows of their own, the one that stands for a run first. */
export const mainMeasures: readonly MeasureId[] = measureIds.filter((id) => measures[id].restates === null);
export const [firstMeasure] = measureIds;

/** The names of `mainMeasures` in a sentence, or of several numbers of each. */
export function mainNames(t: Label, form: 'in-text' | 'plural'): string {
  return mainMeasures.map((id) => t(`measure.${id}.${form}`)).join(t('text.comma'));
}

/** Those that say the same as `id` in another unit. */
export function restatements(id: MeasureId): MeasureId[] {
  return measureIds.filter((other) => measures[other].restates === id);
}

/** A number of a measure with its unit. */
export function writeValue(id: MeasureId, value: number, decimals?: number): string {
  const { unit, write } = measures[id];
  return unit === null ? write(value, decimals) : `${write(value, decimals)} ${unit}`;
}

/** A number of a measure against another: `1.173 ×`, or `+2.40 %`. */
export function writeContrast(id: MeasureId, value: number, baseline: number, decimals = 3): string {
  return measures[id].contrast === 'ratio' ? `${fixed(value / baseline, decimals)} ×` : signed(id, value - baseline);
}

/** A difference with its sign and unit. */
function signed(id: MeasureId, difference: number): string {
  return `${difference > 0 ? '+' : ''}${writeValue(id, difference)}`;
}

/** The heading of what `writeContrast` gives. */
export function contrastKey(id: MeasureId): LabelKey {
  return measures[id].contrast === 'ratio' ? 'field.ratio' : 'field.difference';
}
