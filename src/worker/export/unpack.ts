import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { readJson } from '../../contract/disk.ts';
import { TamisError } from '../../contract/errors.ts';
import { exportManifestSchema, type ExportManifest } from '../../contract/exports.ts';
import { readConfigFile } from '../model/open.ts';
import { writeFolder, type FolderTask } from './folder.ts';
import type { DenseTensor, ExportFile, Source } from './format.ts';
import { formats } from './formats.ts';
import { companionFiles, jsonFile } from './plain-files.ts';
import { shardFile, type ShardTensor } from './shard-file.ts';
import { manifestName } from './weight-files.ts';

/** What an export is; null of a folder that is a dense checkpoint. */
export async function readManifest(folder: string): Promise<ExportManifest | null> {
  return await readJson(join(folder, manifestName), exportManifestSchema);
}

/** Writes an export back as the dense folder that the run holds, its weights to the bit. */
export async function unpack(path: string, out: string, task: FolderTask): Promise<void> {
  const folder = resolve(path);
  if (!existsSync(folder)) throw new TamisError('checkpoint.not-a-folder', { path: folder });
  const manifest = await readManifest(folder);
  if (manifest === null) throw new TamisError('unpack.not-an-export', { path: folder });
  const source = await formats[manifest.format].open(folder, manifest);
  await writeFolder(resolve(out), await denseFiles(folder, manifest, source), task);
}

async function denseFiles(folder: string, manifest: ExportManifest, source: Source): Promise<ExportFile[]> {
  const shards = Object.entries(manifest.shards).map(
    ([file, tensors]) =>
      [file, Object.entries(tensors).map(([name, info]) => denseTensor(source, { name, ...info }))] as const,
  );
  const all = shards.flatMap(([, tensors]) => tensors);
  const weightMap = shards.flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file] as const));
  const { quantization_config: _, 'transformers.js_config': __, ...config } = readConfigFile(folder);
  return [
    ...shards.map(([file, tensors]) => shardFile(file, tensors)),
    jsonFile('model.safetensors.index.json', {
      metadata: { total_size: all.reduce((sum, { bytes }) => sum + bytes, 0) },
      weight_map: Object.fromEntries(weightMap),
    }),
    jsonFile('config.json', config),
    ...(await companionFiles(folder)),
  ];
}

function denseTensor(source: Source, tensor: DenseTensor): ShardTensor {
  return { ...tensor, isOfLayer: false, write: (writer, signal) => source.write(writer, tensor, signal) };
}
