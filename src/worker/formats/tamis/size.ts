import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { Report } from '../../../contract/report.ts';
import { Progress } from '../../run/progress.ts';
import type { Run } from '../../run/run.ts';
import { openCompressed } from '../finished-run.ts';
import { writeFolder } from '../folder.ts';
import { archiveFile } from './format.ts';

/** Folder in `state/` for the archive, while it is written and measured. */
const FOLDER = 'packed';

/**
 * Bytes of the archive that the run's model is exported as: it is written beside the run's state, measured and thrown away. An export
 * writes the same bytes again.
 *
 * Errors: export.no-space, file.*, cancelled.no-run.
 */
export async function archiveSize(
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
