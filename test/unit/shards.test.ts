import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { tensorsOfShard } from '../../src/worker/compress/shards.ts';
import { native, type TensorInfo } from '../../src/worker/native.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTinyOpt } from '../fixtures/tiny-opt.ts';

const folder = testFolder('shards');
const model = writeTinyOpt(join(folder.path, 'model'), { dtype: 'F16' });

afterAll(() => {
  folder.remove();
});

/** A shard as a run writes it, with a metadata entry. */
async function writeShard(name: string): Promise<string> {
  const checkpoint = native.Checkpoint.open(model);
  const path = join(folder.path, name);
  const tensors = checkpoint.tensors().slice(5, 25);
  const writer = new native.ShardWriter(path, tensors);
  for (const tensor of tensors) await writer.copy(tensor.name, checkpoint);
  await writer.finish();
  return path;
}

describe('the tensors of a shard', () => {
  test('are those that the native core finds, also behind a link', async () => {
    const path = await writeShard('one.safetensors');
    const link = join(folder.path, 'link.safetensors');
    symlinkSync(path, link);
    const known = native.Checkpoint.openFile(path).tensors();
    expect(known).toHaveLength(20);
    expect(readFileSync(path, 'utf8')).toContain('__metadata__');
    const byName = new Map<string, TensorInfo>(known.map((tensor) => [tensor.name, tensor]));
    for (const way of [path, link]) expect(await tensorsOfShard(way)).toEqual(byName);
  });

  test.skipIf(process.platform !== 'linux')('are read without the file being held', async () => {
    const path = await writeShard('two.safetensors');
    const isMapped = (): boolean => readFileSync('/proc/self/maps', 'utf8').includes(path);
    await tensorsOfShard(path);
    expect(isMapped()).toBe(false);
    const held = native.Checkpoint.openFile(path);
    expect(isMapped()).toBe(true);
    expect(held.tensors()).toHaveLength(20);
  });

  test('of a file that is not there, or is none', async () => {
    await expect(tensorsOfShard(join(folder.path, 'none'))).rejects.toMatchObject({ code: 'file.not-readable' });
    const path = folder.write(
      'not.safetensors',
      Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('[]')]),
    );
    await expect(tensorsOfShard(path)).rejects.toMatchObject({ code: 'file.wrong-shape' });
  });
});
