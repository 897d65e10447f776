import { join } from 'node:path';

import type { Report } from '../contract/report.ts';
import { bytes, percent } from '../contract/format.ts';
import type { Measured } from '../contract/measured.ts';
import { mainMeasures, writeValue } from '../contract/measures.ts';
import { labels } from '../contract/messages/labels.ts';
import { table } from './table.ts';

/** What a person wants to see when a run has ended. */
export function summary(report: Report, folder: string): string {
  const { sparsity, model } = report;
  return [
    `Sparsity ${percent(sparsity.actual, 2)} % (target ${percent(sparsity.target, 2)} %), ${bytes(model.bytesCompressed)} dense storage, peak memory ${bytes(report.peakMemoryBytes)}`,
    measuredTable(report.measured),
    `Model:  ${folder}`,
    `Report: ${join(folder, 'report.html')}`,
  ].join('\n');
}

function measuredTable(measured: readonly Measured[]): string {
  if (measured.length === 0) return 'No perplexity: no --evaluation was given.';
  const main = measured.filter(({ measure }) => mainMeasures.includes(measure));
  const t = labels('en');
  const rows = main.map(({ measure, dataset, seqlen, windows, dense, compressed }) => [
    dataset,
    ...(mainMeasures.length > 1 ? [t(`measure.${measure}.in-text`)] : []),
    String(seqlen),
    String(windows),
    writeValue(measure, dense.value),
    writeValue(measure, compressed.value),
  ]);
  const named = mainMeasures.length > 1 ? ['measure'] : [];
  return table(['Dataset', ...named, 'seqlen', 'windows', 'dense', 'compressed'], rows);
}
