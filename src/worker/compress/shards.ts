import { copyFile, open, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import { fileError, readError } from '../../disk/file-errors.ts';
import { checked, parseJson } from '../../disk/json.ts';
import { companions } from '../model/companions.ts';
import type { Model } from '../model/open.ts';
import { native, translated, type TensorInfo } from '../native.ts';
import type { RunDirectory } from '../run/directory.ts';
import { writeJson } from '../../disk/files.ts';
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

const headerSchema = z.record(
  z.string(),
  z.object({ dtype: z.string(), shape: z.array(z.int()), data_offsets: z.tuple([z.int(), z.int()]) }),
);

/**
 * The tensors of a shard that was written, by name: they can take the place of the checkpoint's. The native core would map the file
 * until garbage is collected, and Windows neither replaces nor deletes a mapped file: so its header is read here.
 */
export async function tensorsOfShard(path: string): Promise<Map<string, TensorInfo>> {
  const { file, header, start } = await readHeader(path);
  const { __metadata__: _metadata, ...entries } = parseJson(path, header, z.record(z.string(), z.unknown()));
  const tensors = Object.entries(checked(path, entries, headerSchema));
  return new Map(
    tensors.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => [name, { name, dtype, shape, file, offset: start + begin, bytes: end - begin }],
    ),
  );
}

/** The JSON of a safetensors file, and where its data begins. */
async function readHeader(path: string): Promise<{ file: string; header: string; start: number }> {
  try {
    const file = await realpath(path);
    const handle = await open(file);
    try {
      const { buffer: length } = await handle.read(Buffer.alloc(8), 0, 8, 0);
      const bytes = Number(length.readBigUInt64LE());
      const { buffer: header } = await handle.read(Buffer.alloc(bytes), 0, bytes, 8);
      return { file, header: header.toString(), start: 8 + bytes };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw readError(error, path);
  }
}

/** Writes a shard of the checkpoint's tensors as they are, bytes copied out of the map. */
export async function copyShard(model: Model, directory: RunDirectory, index: number): Promise<void> {
  const names = shardTensors(model)[index] ?? [];
  const path = directory.file(shardName(model, index));
  using writer = await translated(
    () =>
      new native.ShardWriter(
        path,
        names.map((name) => need(model.tensors, name)),
      ),
  );
  for (const name of names) await translated(() => writer.copy(name, model.checkpoint));
  await translated(() => writer.finish());
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
