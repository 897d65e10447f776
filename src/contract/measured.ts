import { z } from 'zod';

import { measureIdSchema, type MeasureId } from './measures.ts';
import type { Label } from './messages/labels.ts';

/** What a number was measured on. Two numbers of a measure compare only where all of it is the same. */
const sampleSchema = z.strictObject({ dataset: z.string(), seqlen: z.int(), windows: z.int() });
export type Sample = z.infer<typeof sampleSchema>;

/** The same text for the same measure on the same sample, and for no other. */
export function measuredKey({ measure, dataset, seqlen, windows }: Sample & { readonly measure: MeasureId }): string {
  return JSON.stringify([measure, dataset, seqlen, windows]);
}

export function sampleWords({ dataset, seqlen, windows }: Sample, t: Label): string {
  return t('measure.sample', { dataset, seqlen, windows });
}

/** A measured number. */
const measurementSchema = z.strictObject({
  value: z.number(),
  /** null where it is not known: of one window, or by a version that did not compute it. */
  standardError: z.number().nullable(),
});
export type Measurement = z.infer<typeof measurementSchema>;

/** As the first version of Tamis wrote them, which measured nothing else. */
const perplexityResultSchema = z.strictObject({
  ...sampleSchema.shape,
  tokens: z.int(),
  perplexity: z.number(),
  bitsPerByte: z.number().nullable(),
  seconds: z.number(),
});

/** What was measured of one model on one dataset, in one pass over it. What the first version wrote is read as well. */
export const datasetResultSchema = z.preprocess(
  (value) => {
    const { success, data } = perplexityResultSchema.safeParse(value);
    if (!success) return value;
    const { perplexity, bitsPerByte, ...facts } = data;
    return {
      ...facts,
      values: [
        { measure: 'perplexity', value: perplexity, standardError: null },
        ...(bitsPerByte === null ? [] : [{ measure: 'bits-per-byte', value: bitsPerByte, standardError: null }]),
      ],
    };
  },
  z.strictObject({
    ...sampleSchema.shape,
    /** Tokens in the windows. */
    tokens: z.int(),
    /** This dataset's share of the pass over all of them. */
    seconds: z.number(),
    values: z.array(z.strictObject({ measure: measureIdSchema, ...measurementSchema.shape })),
  }),
);
export type DatasetResult = z.infer<typeof datasetResultSchema>;

/** What a run's dense model and its compressed one came to by one measure on one sample. */
export const measuredSchema = z.strictObject({
  measure: measureIdSchema,
  ...sampleSchema.shape,
  tokens: z.int(),
  dense: measurementSchema,
  compressed: measurementSchema,
});
export type Measured = z.infer<typeof measuredSchema>;

/** The same of a run that has not measured both yet. */
export type MeasuredSoFar = Omit<Measured, 'dense' | 'compressed'> & {
  readonly dense: Measurement | null;
  readonly compressed: Measurement | null;
};

/** `known`, with what was measured of one of a run's models on a dataset. */
export function withResult(
  known: readonly MeasuredSoFar[],
  which: 'dense' | 'compressed',
  { values, dataset, seqlen, windows, tokens }: DatasetResult,
): readonly MeasuredSoFar[] {
  return values.reduce((all, { measure, ...measurement }) => {
    const entry = { measure, dataset, seqlen, windows, tokens };
    const place = all.findIndex((one) => measuredKey(one) === measuredKey(entry) && one.tokens === tokens);
    const before = all[place];
    if (before) return all.with(place, { ...before, [which]: measurement });
    return [...all, { ...entry, dense: null, compressed: null, [which]: measurement }];
  }, known);
}

/** What a model came to by a measure on one dataset; undefined where it was not measured by it. */
export function valueOf({ values }: Pick<DatasetResult, 'values'>, measure: MeasureId): number | undefined {
  return values.find((one) => one.measure === measure)?.value;
}

/** The first entry of a measure: that on the recipe's first dataset. */
export function firstOf<T extends { readonly measure: MeasureId }>(
  measured: readonly T[],
  measure: MeasureId,
): T | undefined {
  return measured.find((one) => one.measure === measure);
}

/** As version 1 of the report had them. */
const perplexityPairSchema = z.strictObject({
  ...sampleSchema.shape,
  tokens: z.int(),
  dense: z.number(),
  compressed: z.number(),
  denseBitsPerByte: z.number().nullable(),
  compressedBitsPerByte: z.number().nullable(),
});

/** The perplexities of version 1 of the report as they are written since. */
export const perplexityPairsSchema = z.array(perplexityPairSchema).transform((pairs) => pairs.flatMap(measuredOf));

function measuredOf(pair: z.infer<typeof perplexityPairSchema>): Measured[] {
  const { dense, compressed, denseBitsPerByte, compressedBitsPerByte, ...sample } = pair;
  const unknown = (value: number): Measurement => ({ value, standardError: null });
  const entry = (measure: MeasureId, one: number, other: number): Measured => ({
    measure,
    ...sample,
    dense: unknown(one),
    compressed: unknown(other),
  });
  return [
    entry('perplexity', dense, compressed),
    ...(denseBitsPerByte === null || compressedBitsPerByte === null
      ? []
      : [entry('bits-per-byte', denseBitsPerByte, compressedBitsPerByte)]),
  ];
}
