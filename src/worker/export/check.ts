import type { DatasetResult } from '../../contract/measured.ts';
import { evaluate } from '../evaluate/evaluate.ts';
import type { Told } from '../run/told.ts';
import type { FinishedRun } from '../formats/finished-run.ts';

/** Measures the written files of an export on the run's evaluation data and its device. */
export async function checkExport({ report }: FinishedRun, folder: string, told: Told): Promise<DatasetResult[]> {
  const { evaluation, device, threads } = report.recipe;
  return await evaluate({ model: folder, evaluation, device, threads }, told);
}
