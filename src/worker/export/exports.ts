import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import type { Progress } from '../../contract/bridge.ts';
import { TamisError } from '../../contract/errors.ts';
import type { RunEvent } from '../../contract/events.ts';
import type { ExportFormat, ExportOffer, ExportResult, ExportStage } from '../../contract/exports.ts';
import { errorOf } from '../../contract/failure.ts';
import { checkExport } from './check.ts';
import { openRun, type FinishedRun } from '../formats/finished-run.ts';
import { totalBytes, writeFolder } from '../formats/folder.ts';
import type { ExportFile, Format } from '../formats/format.ts';
import { formats } from '../formats/formats.ts';
import { recordExport } from './records.ts';
import { reportFiles } from './report-files.ts';

export interface ExportTask {
  /** Folder of a finished run. */
  readonly run: string;
  readonly format: ExportFormat;
  /** Must not exist or be empty. */
  readonly out: string;
  /** Measures the written files on the run's evaluation data. */
  readonly check: boolean;
  readonly signal: AbortSignal;
  /** Told how far a stage is: `write` in bytes, `check` as a share of one. */
  readonly onProgress: (stage: ExportStage, progress: Progress) => void;
}

/** Every format beside a run: how large it comes out, or why the run does not fit. */
export async function exportOffers(folder: string): Promise<ExportOffer[]> {
  const run = await openRun(resolve(folder));
  return await Promise.all(Object.values(formats).map((format) => offerOf(run, format)));
}

async function offerOf(run: FinishedRun, format: Format): Promise<ExportOffer> {
  const refusal = await format.refusal(run);
  if (refusal) return { format: format.format, bytes: null, refusal, warnings: [] };
  const bytes = totalBytes(await allFiles(run, format));
  return { format: format.format, bytes, refusal: null, warnings: format.warnings(run) };
}

/**
 * Writes a finished run as one of the formats, whole or not at all (`writeFolder`), and records that in the run's folder. Who cancels
 * while the written files are checked keeps them, unmeasured.
 */
export async function exportRun(task: ExportTask): Promise<ExportResult> {
  const started = performance.now();
  const out = resolve(task.out);
  const run = await openRun(resolve(task.run));
  const format = formats[task.format];
  const refusal = await format.refusal(run);
  if (refusal) throw errorOf(refusal);
  if (task.check && run.report.recipe.evaluation.datasets.length === 0)
    throw new TamisError('export.no-evaluation', { path: run.folder });
  const files = await allFiles(run, format);
  const { signal, onProgress } = task;
  const layerBytes = await writeFolder(out, files, {
    signal,
    onProgress: (progress) => onProgress('write', progress),
  });
  const weights = run.report.layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  const result = {
    format: task.format,
    path: out,
    bytes: await folderBytes(out),
    bitsPerWeight: (8 * layerBytes) / weights,
    seconds: (performance.now() - started) / 1000,
    results: null,
  };
  await recordExport(run, result);
  return task.check ? await checked(run, result, task) : result;
}

async function allFiles(run: FinishedRun, format: Format): Promise<ExportFile[]> {
  return [...(await format.files(run)), ...(await reportFiles(run, format.format))];
}

async function checked(
  run: FinishedRun,
  written: ExportResult,
  { signal, onProgress }: ExportTask,
): Promise<ExportResult> {
  const emit = (event: RunEvent): void => {
    if (event.type !== 'progress') return;
    const { done, total: all, remainingSeconds } = event;
    onProgress('check', { done, total: all, remainingSeconds });
  };
  try {
    const result = { ...written, results: await checkExport(run, written.path, { signal, emit }) };
    await recordExport(run, result);
    return result;
  } catch (error) {
    if (signal.aborted) return written;
    throw error;
  }
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((a, b) => a + b, 0);
}
