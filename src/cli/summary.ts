import { join } from 'node:path';

import type { Report } from '../contract/report.ts';
import { bytes, percent, perplexity } from '../contract/format.ts';
import { table } from './table.ts';

/** What a person wants to see when a run has ended. */
export function summary(report: Report, folder: string): string {
  const { sparsity, model } = report;
  const rows = report.perplexity.map((entry) => [
    entry.dataset,
    String(entry.seqlen),
    String(entry.windows),
    perplexity(entry.dense),
    perplexity(entry.compressed),
  ]);
  const measured =
    rows.length === 0
      ? 'No perplexity: no --evaluation was given.'
      : table(['Dataset', 'seqlen', 'windows', 'dense', 'compressed'], rows);
  return [
    `Sparsity ${percent(sparsity.actual, 2)} % (target ${percent(sparsity.target, 2)} %), ${bytes(model.bytesCompressed)} dense storage, peak memory ${bytes(report.peakMemoryBytes)}`,
    measured,
    `Model:  ${folder}`,
    `Report: ${join(folder, 'report.html')}`,
  ].join('\n');
}
