import { z } from 'zod';

import { formatClients } from './export-formats.ts';
import { failureSchema } from './failure.ts';
import { datasetResultSchema } from './measured.ts';
import { bitWidths } from './recipe/fields.ts';

export type ExportFormat = keyof typeof formatClients;
export const exportFormats = Object.keys(formatClients) as readonly ExportFormat[];

/** What an export does, one after the other; `check`: measures the written files. */
export const exportStages = ['write', 'check'] as const;
export type ExportStage = (typeof exportStages)[number];

/** A format beside a run: how large it comes out, or why the run does not fit it. */
export const exportOfferSchema = z.strictObject({
  format: z.enum(exportFormats),
  /** Bytes of all files that would be written; `tamis` is coded and comes out smaller. null where the run does not fit. */
  bytes: z.int().nullable(),
  /** Why the run does not fit the format. */
  refusal: failureSchema.nullable(),
  /** What those who load it should know. */
  warnings: z.array(failureSchema),
});
export type ExportOffer = z.infer<typeof exportOfferSchema>;

/** What an export has written. */
export const exportResultSchema = z.strictObject({
  format: z.enum(exportFormats),
  /** The folder; of `tamis` and `gguf` too, which hold one large file. */
  path: z.string(),
  /** Bytes of all its files. */
  bytes: z.int(),
  /** Bits a weight of the compressed layers, all overhead counted: scales, zero points, masks, headers. */
  bitsPerWeight: z.number(),
  seconds: z.number(),
  /** Measured on the written files, on the run's evaluation data; null where that was not asked for. */
  results: z.array(datasetResultSchema).nullable(),
});
export type ExportResult = z.infer<typeof exportResultSchema>;

/** The exports of a run, as `exports.json` in its folder keeps them: one entry a format and folder, the newest last. */
export const exportRecordsSchema = z.array(
  z.preprocess(
    (record) => {
      // As the first version called the results.
      const first = z.looseObject({ perplexity: z.unknown() }).safeParse(record);
      if (!first.success) return record;
      const { perplexity: results, ...rest } = first.data;
      return { ...rest, results };
    },
    exportResultSchema.extend({ date: z.iso.datetime() }),
  ),
);
export type ExportRecord = z.infer<typeof exportRecordsSchema>[number];

/** What must be known of an export to read it back. */
export const exportManifestSchema = z.strictObject({
  version: z.literal(1),
  format: z.enum(exportFormats),
  /** The files of the dense folder, and the tensors of each in order. */
  shards: z.record(
    z.string(),
    z.record(z.string(), z.strictObject({ dtype: z.string(), shape: z.array(z.int()), bytes: z.int() })),
  ),
  /** The quantized layers, by name without `.weight`. */
  layers: z.record(
    z.string(),
    z.strictObject({
      bits: z.literal(bitWidths),
      groupSize: z.int().nullable(),
      symmetric: z.boolean(),
      /** The dense folder holds the weight as [in, out]. */
      transposed: z.literal(true).optional(),
    }),
  ),
});
export type ExportManifest = z.infer<typeof exportManifestSchema>;
