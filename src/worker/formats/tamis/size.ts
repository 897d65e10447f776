import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import type { LayerResult, Report } from '../../../contract/report.ts';
import { Progress } from '../../run/progress.ts';
import { step, type Run, type Step } from '../../run/run.ts';
import { openCompressed } from '../finished-run.ts';
import { writeFolder } from '../folder.ts';
import { archiveFile } from './format.ts';

/** Folder in `state/` for the archive, while it is written and measured. */
const FOLDER = 'packed';

/** The step of a run that measures its packed archive: bytes. Errors of `archiveSize`. */
export async function packedSize(run: Run, layers: LayerResult[]): Promise<Step<number>> {
  const report = { recipe: run.recipe, layers };
  return await step(run, 'packed', z.int(), (clock) => clock.time('pack', () => archiveSize(run, report)));
}

/**
 * Bytes of the archive that the run's model is exported as: it is written beside the run's state, measured and thrown away. An export
 * writes the same bytes again.
 *
 * Errors: export.no-space, file.*, cancelled.no-run.
 */
async function archiveSize(
  { directory, signal, emit }: Run,
  report: Pick<Report, 'recipe' | 'layers'>,
): Promise<number> {
  const file = await archiveFile(await openCompressed(directory.path, report));
  const progress = new Progress('report', file.bytes, emit);
  const folder = directory.file('state', FOLDER);
  try {
    await writeFolder(folder, [file], { signal, onProgress: ({ done }) => progress.reach(done) });
    return (await stat(join(folder, file.path))).size;
  } finally {
    directory.remove('state', FOLDER);
  }
}
