import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { TamisError } from '../../contract/errors.ts';
import { exportFiles } from '../../contract/export-formats.ts';
import { readManifest } from './export-folder.ts';
import { writeFolder, type FolderTask } from './folder.ts';
import type { DenseTensor, ExportFile, Opened, Source } from './format.ts';
import { formats } from './formats.ts';
import { jsonFile } from './plain-files.ts';
import { shardFile, type ShardTensor } from './shard-file.ts';
import { openArchive } from './tamis/format.ts';

/** Opens an export: a folder that `exportRun` wrote, or an archive alone. null of anything else, a dense folder among it. */
export async function openExport(path: string): Promise<Opened | null> {
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return await openArchive(path);
  const archive = join(path, exportFiles.tamis);
  if (existsSync(archive)) return await openArchive(archive);
  const manifest = await readManifest(path);
  return manifest && (await formats[manifest.format].open(path));
}

/** Writes an export back as the dense folder that the run holds, its weights to the bit. */
export async function unpack(path: string, out: string, task: FolderTask): Promise<void> {
  const opened = await openExport(resolve(path));
  if (opened === null) throw new TamisError('unpack.not-an-export', { path: resolve(path) });
  await writeFolder(resolve(out), denseFiles(opened), task);
}

export function denseFiles({ manifest, source, config, companions }: Opened): ExportFile[] {
  const shards = Object.entries(manifest.shards).map(([file, tensors]) => {
    const held = Object.entries(tensors).map(([name, info]) => denseTensor(source, { name, ...info }));
    return [file, held] as const;
  });
  const all = shards.flatMap(([, tensors]) => tensors);
  const weightMap = shards.flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file] as const));
  return [
    ...shards.map(([file, tensors]) => shardFile(file, tensors)),
    jsonFile('model.safetensors.index.json', {
      metadata: { total_size: all.reduce((sum, { bytes }) => sum + bytes, 0) },
      weight_map: Object.fromEntries(weightMap),
    }),
    jsonFile('config.json', config),
    ...companions,
  ];
}

function denseTensor(source: Source, tensor: DenseTensor): ShardTensor {
  return { ...tensor, isOfLayer: false, write: (writer, signal) => source.write(writer, tensor, signal) };
}
