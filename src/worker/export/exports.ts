import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import type { Progress } from '../../contract/bridge.ts';
import { freeBytes } from '../../contract/disk.ts';
import { TamisError } from '../../contract/errors.ts';
import type { RunEvent } from '../../contract/events.ts';
import type { ExportFormat, ExportOffer, ExportResult, ExportStage } from '../../contract/exports.ts';
import { errorOf } from '../../contract/failure.ts';
import { fileError } from '../../contract/file-errors.ts';
import type { Perplexity } from '../../contract/report.ts';
import { checkExport } from './check.ts';
import { openRun, type FinishedRun } from './finished-run.ts';
import type { ExportFile, Format } from './format.ts';
import { formats } from './formats.ts';
import { recordExport } from './records.ts';
import { reportFiles } from './report-files.ts';

export interface ExportTask {
  /** Folder of a finished run. */
  readonly run: string;
  readonly format: ExportFormat;
  /** Must not exist or be empty. */
  readonly out: string;
  /** Measures the perplexity of the written files on the run's evaluation data. */
  readonly check: boolean;
  readonly signal: AbortSignal;
  /** Of `write` in bytes, of `check` as a share of one. */
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
  const bytes = total(await allFiles(run, format));
  return { format: format.format, bytes, refusal: null, warnings: format.warnings(run) };
}

/**
 * Writes a finished run as one of the formats and records that in the run's folder. The export is made in `OUT.partial` and
 * renamed when it is complete and on the disk; whatever ends it before that leaves nothing behind.
 */
export async function exportRun(task: ExportTask): Promise<ExportResult> {
  const started = performance.now();
  const out = resolve(task.out);
  const run = await openRun(resolve(task.run));
  const format = formats[task.format];
  const refusal = await format.refusal(run);
  if (refusal) throw errorOf(refusal);
  const files = await allFiles(run, format);
  await assertFree(out, total(files));
  const layerBytes = await writeFolder(out, files, task);
  const weights = run.report.layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  const result = {
    format: task.format,
    path: out,
    bytes: await folderBytes(out),
    bitsPerWeight: (8 * layerBytes) / weights,
    seconds: (performance.now() - started) / 1000,
    perplexity: task.check ? await checked(run, out, task) : null,
  };
  await recordExport(run, result);
  return result;
}

async function allFiles(run: FinishedRun, format: Format): Promise<ExportFile[]> {
  return [...(await format.files(run)), ...(await reportFiles(run, format.format))];
}

/** Gives the bytes that the compressed layers take. */
async function writeFolder(
  out: string,
  files: readonly ExportFile[],
  { signal, onProgress }: ExportTask,
): Promise<number> {
  const partial = `${out}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    const onBytes = counter(total(files), (progress) => onProgress('write', progress));
    let layerBytes = 0;
    for (const file of files) {
      if (signal.aborted) throw new TamisError('cancelled.no-run');
      const to = join(partial, file.path);
      await makeFolder(dirname(to));
      layerBytes += (await file.write(to, { signal, onBytes })).layerBytes;
    }
    await rm(out, { recursive: true, force: true });
    await rename(partial, out);
    return layerBytes;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw signal.aborted ? new TamisError('cancelled.no-run') : fileError(error, partial);
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Counts the bytes; the time left is from the mean rate so far. */
function counter(all: number, tell: (progress: Progress) => void): (bytes: number) => void {
  const started = performance.now();
  let done = 0;
  return (bytes) => {
    done += bytes;
    const elapsed = (performance.now() - started) / 1000;
    tell({ done, total: all, remainingSeconds: (elapsed * Math.max(0, all - done)) / Math.max(1, done) });
  };
}

async function checked(run: FinishedRun, out: string, { signal, onProgress }: ExportTask): Promise<Perplexity[]> {
  const emit = (event: RunEvent): void => {
    if (event.type !== 'progress') return;
    const { done, total: all, remainingSeconds } = event;
    onProgress('check', { done, total: all, remainingSeconds });
  };
  return await checkExport(run, out, { signal, emit });
}

async function assertFree(out: string, bytes: number): Promise<void> {
  const there = await readdir(out).catch(() => []);
  if (there.length > 0) throw new TamisError('export.exists', { path: out });
  const free = await freeBytes(dirname(out));
  if (free < bytes)
    throw new TamisError('export.no-space', { path: dirname(out), needed: mebibytes(bytes), free: mebibytes(free) });
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((a, b) => a + b, 0);
}

function total(files: readonly ExportFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
