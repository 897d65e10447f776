import { join } from 'node:path';

import { makeFolder, writeJson, writeText } from '../../disk/files.ts';
import type { ExportResult } from '../../contract/exports.ts';
import { renderHtml } from '../report/html.tsx';
import { readRecords, recordsName } from '../report/records.ts';
import { RunDirectory } from '../run/directory.ts';
import type { FinishedRun } from '../formats/finished-run.ts';

/** Adds an export to the run's records, in the place of an earlier one at the same path, and to its report.html. */
export async function recordExport({ folder, report }: FinishedRun, result: ExportResult): Promise<void> {
  // It may have been deleted from a finished run; the lock lies in it.
  makeFolder(join(folder, 'state'));
  using directory = RunDirectory.open(folder);
  const others = (await readRecords(folder)).filter(({ path }) => path !== result.path);
  const records = [...others, { ...result, date: new Date().toISOString() }];
  await writeJson(directory.file(recordsName), records);
  await writeText(directory.file('report.html'), renderHtml(report, 'en', records));
}
