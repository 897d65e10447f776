import { bytes, duration, fixed, percent } from './format.ts';
import { labels, type Label, type LabelKey } from './messages/labels.ts';
import { measuredKey, sampleWords } from './measured.ts';
import { mainMeasures, measures, writeValue } from './measures.ts';
import type { Locale } from './messages/index.ts';
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
  /** How a number is set against another one of the row; null = not at all. */
  readonly contrast: Contrast | null;
}

/** How a number stands to a baseline, in words; null where there is nothing to say. */
type Contrast = (value: number, baseline: number) => string | null;

type Read = (report: Report) => number | string | null;
type Write = (value: number) => string;

/**
 * Reports side by side, a column a report. Numbers of a measure share a row only if they were measured on the same dataset with
 * the same seqlen and number of windows.
 */
export function compareTable(reports: readonly Report[], locale: Locale = 'en'): ComparisonRow[] {
  const t = labels(locale);
  const field = (
    key: LabelKey & `field.${string}`,
    read: Read,
    write?: Write,
    contrast: Contrast | null = null,
  ): ComparisonRow => rowOf(reports, { key: key.slice('field.'.length), label: t(key), contrast }, read, write);
  const share: Write = (value) => `${percent(value, 2)} %`;
  const [ratio, points] = [ratioTo(t), pointsTo(t, (difference) => percent(difference, 2))];
  return [
    field('field.model', ({ model }) => model.name),
    field('field.method', ({ recipe }) => methods[recipe.method].name),
    field('field.pattern', ({ recipe }) => patternWords(recipe, t)),
    field('field.scheduler', ({ recipe, centroids, choice }) =>
      schedulerWords(recipe.scheduler, { groups: centroids.length, choice }, t),
    ),
    field('field.estimate', ({ estimate }) => estimate),
    field('field.sparsity-target', ({ sparsity }) => sparsity.target, share, points),
    field('field.sparsity-actual', ({ sparsity }) => sparsity.actual, share, points),
    field('field.quantization', ({ recipe }) => quantizationWords(recipe, t)),
    field('field.seed', ({ recipe }) => recipe.seed),
    ...measuredRows(reports, t),
    field('field.time', totalSeconds, duration, ratio),
    field('field.memory', ({ peakMemoryBytes }) => peakMemoryBytes, bytes, ratio),
    field('field.size', ({ model }) => model.bytesCompressed, bytes, ratio),
    field('field.size-packed', (report) => packedSize(report)?.bytes ?? null, bytes, ratio),
    field('field.bits-kept', keptBits, (value) => fixed(value, 2)),
    field(
      'field.bits-weight',
      (report) => packedSize(report)?.bitsPerWeight ?? null,
      (value) => fixed(value, 2),
      ratio,
    ),
  ];
}

/** The value divided by the baseline's. */
function ratioTo(t: Label): Contrast {
  return (value, baseline) => (baseline > 0 ? t('compare.ratio', { ratio: fixed(value / baseline, 3) }) : null);
}

/** The difference, with its sign. */
function pointsTo(t: Label, write: Write): Contrast {
  return (value, baseline) => {
    const points = write(value - baseline);
    if (!/[1-9]/.test(points)) return null;
    return t('compare.points', { points: points.startsWith('−') ? points : `+${points}` });
  };
}

function rowOf(
  reports: readonly Report[],
  head: Pick<ComparisonRow, 'key' | 'label' | 'contrast'>,
  read: Read,
  write: Write = String,
): ComparisonRow {
  const values = reports.map(read);
  const cells = values.map((value) => ({ value, text: typeof value === 'number' ? write(value) : (value ?? '–') }));
  return { ...head, cells, differs: new Set(values).size > 1 };
}

function measuredRows(reports: readonly Report[], t: Label): ComparisonRow[] {
  const all = reports.flatMap((report) => report.measured.filter(({ measure }) => mainMeasures.includes(measure)));
  const entries = new Map(all.map((entry) => [measuredKey(entry), entry]));
  return [...entries].flatMap(([known, { measure, ...sample }]) => {
    const { dataset, seqlen, windows } = sample;
    const words = { measure: t(`measure.${measure}`), sample: sampleWords(sample, t) };
    return (['dense', 'compressed'] as const).map((which) =>
      rowOf(
        reports,
        {
          key: `${measure}-${which} ${dataset} seqlen=${seqlen} windows=${windows}`,
          label: t(`field.measure-${which}`, words),
          contrast: measures[measure].contrast === 'ratio' ? ratioTo(t) : pointsTo(t, measures[measure].write),
        },
        ({ measured }) => measured.find((entry) => measuredKey(entry) === known)?.[which].value ?? null,
        (value) => writeValue(measure, value),
      ),
    );
  });
}
