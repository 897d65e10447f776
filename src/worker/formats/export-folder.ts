import { join } from 'node:path';

import { readJson } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { exportManifestSchema, type ExportManifest } from '../../contract/exports.ts';
import { readConfigFile } from '../model/open.ts';
import type { Opened, Source } from './format.ts';
import { companionFiles } from './plain-files.ts';
import { manifestName } from './weight-files.ts';

/** What an export that is a folder says of itself; null of other folders. */
export async function readManifest(folder: string): Promise<ExportManifest | null> {
  return await readJson(join(folder, manifestName), exportManifestSchema);
}

/** Opens an export whose small files lie beside its weights. */
export async function openFolder(
  folder: string,
  openSource: (folder: string, manifest: ExportManifest) => Promise<Source>,
): Promise<Opened> {
  const manifest = await readManifest(folder);
  if (manifest === null) throw new TamisError('unpack.not-an-export', { path: folder });
  const { quantization_config: _, 'transformers.js_config': __, ...config } = readConfigFile(folder);
  return { manifest, config, source: await openSource(folder, manifest), companions: await companionFiles(folder) };
}
