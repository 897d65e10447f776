import { join } from 'node:path';

import { readJson } from '../../disk/files.ts';
import { exportRecordsSchema, type ExportRecord } from '../../contract/exports.ts';

export const recordsName = 'exports.json';

/** The exports of a run so far, the newest last. */
export async function readRecords(run: string): Promise<ExportRecord[]> {
  return (await readJson(join(run, recordsName), exportRecordsSchema)) ?? [];
}
