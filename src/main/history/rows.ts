import { basename } from 'node:path';

import type { RunRow } from '../../contract/history.ts';
import type { Recipe } from '../../contract/recipe.ts';
import type { Report } from '../../contract/report.ts';
import { packedSize } from '../../contract/size.ts';

/** A run's row but for the model of the library, which the database finds itself. */
export type StoredRow = Omit<RunRow, 'modelId'>;

/** What a report adds to a run's row. */
export type Results = Pick<RunRow, 'finishedAt' | 'sparsity' | 'measured' | 'seconds' | 'bytes' | 'nonZeroBytes'>;

export function resultsOf(report: Report): Results {
  const { model, sparsity, seconds } = report;
  return {
    finishedAt: report.finishedAt,
    sparsity: sparsity.actual,
    measured: report.measured.map(({ measure, dataset, seqlen, windows, dense, compressed }) => ({
      measure,
      dataset,
      seqlen,
      windows,
      dense,
      compressed,
    })),
    seconds: Object.values(seconds).reduce((a, b) => a + b, 0),
    bytes: model.bytesCompressed,
    nonZeroBytes: packedSize(report)?.bytes ?? null,
  };
}

const nothingYet: Omit<Results, 'finishedAt'> = {
  sparsity: null,
  measured: [],
  seconds: null,
  bytes: null,
  nonZeroBytes: null,
};

/** What is the application's own about a run, and where it stands. */
export type RunHead = Pick<
  RunRow,
  'id' | 'name' | 'notes' | 'tags' | 'state' | 'path' | 'sweep' | 'createdAt' | 'finishedAt' | 'failure'
>;

/** A run's row, from its recipe and, once it is finished, its report. */
export function rowOf(head: RunHead, recipe: Recipe, report: Report | null): StoredRow {
  const { id, name, notes, tags, state, path, sweep, createdAt, finishedAt, failure } = head;
  return {
    ...{ id, name, notes, tags, state, path, sweep, createdAt, failure },
    ...(report ? resultsOf(report) : { ...nothingYet, finishedAt }),
    modelName: basename(recipe.model),
    modelPath: recipe.model,
    device: recipe.device,
    method: recipe.method,
    nm: recipe.nm,
    scheduler: recipe.scheduler.kind,
    targetSparsity: recipe.sparsity,
    bits: recipe.quantization?.bits ?? null,
  };
}

/** What a search looks into; `words` are looked up in it. */
export function searchText({
  name,
  notes,
  tags,
  modelName,
}: Pick<RunRow, 'name' | 'notes' | 'tags' | 'modelName'>): string {
  return folded([name, notes, ...tags, modelName].join('\n'));
}

/** A search as its words, all of which must be found. */
export function words(search: string): string[] {
  return folded(search)
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** Upper and lower case, wide and narrow letters are the same to a search. */
function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}
