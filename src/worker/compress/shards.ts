import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { fileError } from '../../contract/file-errors.ts';
import { companions } from '../model/companions.ts';
import type { Model } from '../model/open.ts';
import { native, translated, type TensorInfo } from '../native.ts';
import type { RunDirectory } from '../run/directory.ts';
import { writeJson } from '../../contract/disk.ts';
import { need } from './names.ts';

/** Shard 0 holds what is outside of the blocks, shard i + 1 block i; Hugging Face's names count from one. */
export function shardName({ family }: Model, index: number): string {
  const part = (value: number): string => String(value).padStart(5, '0');
  return `model-${part(index + 1)}-of-${part(family.blocks + 1)}.safetensors`;
}

/** The tensors of each shard, in the order of `shardName`. */
function shardTensors(model: Model): string[][] {
  const blocks = Array.from({ length: model.family.blocks }, (_, block) => [...model.family.blockTensors(block)]);
  const inBlocks = new Set(blocks.flat());
  return [[...model.tensors.keys()].filter((name) => !inBlocks.has(name)), ...blocks];
}

/** The tensors of a shard that was written, by name: they can take the place of the checkpoint's. */
export async function tensorsOfShard(path: string): Promise<Map<string, TensorInfo>> {
  const tensors = await translated(() => native.Checkpoint.openFile(path).tensors());
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

/** Writes a shard of the checkpoint's tensors as they are, bytes copied out of the map. */
export async function copyShard(model: Model, directory: RunDirectory, index: number): Promise<void> {
  const names = shardTensors(model)[index] ?? [];
  const path = directory.file(shardName(model, index));
  const writer = await translated(
    () =>
      new native.ShardWriter(
        path,
        names.map((name) => need(model.tensors, name)),
      ),
  );
  try {
    for (const name of names) await translated(() => writer.copy(name, model.checkpoint));
    await translated(() => writer.finish());
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** The model's other files, then the index: with it, and not before, the folder is a model that clients load. */
export async function finishModel(model: Model, directory: RunDirectory): Promise<void> {
  for (const name of (await readdir(model.folder)).filter((file) => companions.test(file))) {
    try {
      await copyFile(join(model.folder, name), directory.file(name));
    } catch (error) {
      throw fileError(error, directory.file(name));
    }
  }
  const shards = shardTensors(model);
  const weights = shards.flatMap((names, index) => names.map((name) => [name, shardName(model, index)] as const));
  const bytes = [...model.tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
  await writeJson(directory.file('model.safetensors.index.json'), {
    metadata: { total_size: bytes },
    weight_map: Object.fromEntries(weights),
  });
}
