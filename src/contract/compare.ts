import { bytes, duration, fixed, percent, perplexity } from './format.ts';
import { labels, type Label, type LabelKey } from './messages/labels.ts';
import { measureKey } from './measure.ts';
import type { Locale } from './messages/index.ts';
import type { MessageParams } from './messages/params.ts';
import { methods } from './recipe/methods.ts';
import type { Report } from './report.ts';
import { keptBits, packedSize } from './size.ts';
import { patternWords, quantizationWords, schedulerWords, totalSeconds } from './words.ts';

/** `value` as measured, null where a run has none; `text` as it is shown. */
export interface ComparisonCell {
  readonly value: number | string | null;
  readonly text: string;
}

export interface ComparisonRow {
  /** The same in every language, for JSON. */
  readonly key: string;
  readonly label: string;
  /** One cell a report, in the order of the reports. */
  readonly cells: readonly ComparisonCell[];
  /** Whether the reports differ in it. */
  readonly differs: boolean;
}

type Read = (report: Report) => number | string | null;
type Write = (value: number) => string;

/**
 * Reports side by side, a column a report. Perplexities share a row only if they were measured on the same dataset with
 * the same seqlen and number of windows.
 */
export function compareTable(reports: readonly Report[], locale: Locale = 'en'): ComparisonRow[] {
  const t = labels(locale);
  const row = (key: string, label: string, read: Read, write: Write = String): ComparisonRow => {
    const values = reports.map(read);
    const cells = values.map((value) => ({ value, text: typeof value === 'number' ? write(value) : (value ?? '–') }));
    return { key, label, cells, differs: new Set(values).size > 1 };
  };
  const field = (key: LabelKey & `field.${string}`, read: Read, write?: Write): ComparisonRow =>
    row(key.slice('field.'.length), t(key), read, write);
  const share: Write = (value) => `${percent(value, 2)} %`;
  return [
    field('field.model', ({ model }) => model.name),
    field('field.method', ({ recipe }) => methods[recipe.method].name),
    field('field.pattern', ({ recipe }) => patternWords(recipe, t)),
    field('field.scheduler', ({ recipe, centroids, choice }) =>
      schedulerWords(recipe.scheduler, { groups: centroids.length, choice }, t),
    ),
    field('field.estimate', ({ estimate }) => estimate),
    field('field.sparsity-target', ({ sparsity }) => sparsity.target, share),
    field('field.sparsity-actual', ({ sparsity }) => sparsity.actual, share),
    field('field.quantization', ({ recipe }) => quantizationWords(recipe, t)),
    field('field.seed', ({ recipe }) => recipe.seed),
    ...perplexityRows(reports, t, row),
    field('field.time', totalSeconds, duration),
    field('field.memory', ({ peakMemoryBytes }) => peakMemoryBytes, bytes),
    field('field.size', ({ model }) => model.bytesCompressed, bytes),
    field('field.size-packed', (report) => packedSize(report)?.bytes ?? null, bytes),
    field('field.bits-kept', keptBits, (value) => fixed(value, 2)),
    field(
      'field.bits-weight',
      (report) => packedSize(report)?.bitsPerWeight ?? null,
      (value) => fixed(value, 2),
    ),
  ];
}

function perplexityRows(
  reports: readonly Report[],
  t: Label,
  row: (key: string, label: string, read: Read, write: Write) => ComparisonRow,
): ComparisonRow[] {
  const measures = new Map(
    reports.flatMap((report) => report.perplexity.map((entry) => [measureKey(entry), entry] as const)),
  );
  return [...measures].flatMap(([measure, { dataset, seqlen, windows }]) => {
    const params: MessageParams = { dataset, seqlen, windows };
    const key = `${dataset} seqlen=${seqlen} windows=${windows}`;
    const read =
      (which: 'dense' | 'compressed'): Read =>
      (report) =>
        report.perplexity.find((entry) => measureKey(entry) === measure)?.[which] ?? null;
    return [
      row(`perplexity-dense ${key}`, t('field.perplexity-dense', params), read('dense'), perplexity),
      row(`perplexity-compressed ${key}`, t('field.perplexity-compressed', params), read('compressed'), perplexity),
    ];
  });
}
