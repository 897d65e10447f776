import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, test } from 'vitest';

import * as addon from '#native';

import type { ErrorCode } from '../../src/contract/messages/en.ts';
import { message } from '../../src/contract/messages/index.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { readHead } from '../../src/worker/model/head.ts';
import { hubCache } from '../fixtures/hub-cache.ts';
import { refusalOf } from '../fixtures/refusal.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const fixtures = fileURLToPath(new URL('../fixtures/bin/', import.meta.url));
const safetensorsModel = fileURLToPath(new URL('../fixtures/models/opt-pre-norm/', import.meta.url));
const folder = testFolder('torch-checkpoint');
afterAll(folder.remove);

const linked = (name: string, source: string): string => hubCache(join(folder.path, name), source);

function bytesOf(tensor: addon.TensorInfo): Buffer {
  return readFileSync(tensor.file).subarray(tensor.offset, tensor.offset + tensor.bytes);
}

const sources = [
  ['one file', join(fixtures, 'opt')],
  ['shards', join(fixtures, 'opt-sharded')],
  ['links to one file', linked('one', join(fixtures, 'opt'))],
  ['links to shards', linked('shards', join(fixtures, 'opt-sharded'))],
  ['links to safetensors', linked('safetensors', safetensorsModel)],
] as const;

test.each(sources)('%s: the model of its safetensors twin, its tied head once', async (_what, source) => {
  const [model, twin] = [await openModel(source), await openModel(safetensorsModel)];
  expect([...model.tensors.keys()].sort()).toEqual([...twin.tensors.keys()].sort());
  for (const [name, expected] of twin.tensors) {
    const found = model.tensors.get(name) ?? expect.fail(name);
    expect(found).toMatchObject({ dtype: expected.dtype, shape: expected.shape, bytes: expected.bytes });
    expect(bytesOf(found), name).toEqual(bytesOf(expected));
    expect([...model.checkpoint.readF32(name)], name).toEqual([...twin.checkpoint.readF32(name)]);
  }
  expect(await readHead(source)).toEqual(await readHead(safetensorsModel));
});

test('a head that the config does not tie stays, though its bytes are the embedding’s', async () => {
  const config = JSON.parse(readFileSync(join(fixtures, 'opt/config.json'), 'utf8')) as Record<string, unknown>;
  folder.write('untied/config.json', JSON.stringify({ ...config, tie_word_embeddings: false }));
  copyFileSync(join(fixtures, 'opt/pytorch_model.bin'), join(folder.path, 'untied/pytorch_model.bin'));
  expect((await openModel(join(folder.path, 'untied'))).tensors.has('lm_head.weight')).toBe(true);
});

test('safetensors are preferred', () => {
  const both = join(folder.path, 'both');
  mkdirSync(both);
  copyFileSync(join(safetensorsModel, 'model.safetensors'), join(both, 'model.safetensors'));
  writeFileSync(join(both, 'pytorch_model.bin'), 'nothing that could be read');
  expect(addon.Checkpoint.open(both).tensors()[0]?.file).toMatch(/model\.safetensors$/);
});

describe('refused', () => {
  const files: readonly (readonly [string, ErrorCode, object])[] = [
    ['legacy', 'checkpoint.bin-legacy', {}],
    ['script', 'checkpoint.bin-script', {}],
    ['tensor', 'checkpoint.bin-not-a-dict', { kind: 'tensor' }],
    ['nested', 'checkpoint.bin-not-a-tensor', { entry: 'model', kind: 'dict' }],
    ['transposed', 'checkpoint.bin-not-contiguous', { tensor: 'weight' }],
    ['module', 'checkpoint.pickle-global', { global: 'torch.nn.modules.linear.Linear', offset: 2 }],
    ['sparse', 'checkpoint.pickle-global', { global: 'torch._utils._rebuild_sparse_tensor' }],
  ];
  test.each(files)('%s: %s', (name, code, params) => {
    const path = folder.write(`${name}/pytorch_model.bin`, readFileSync(join(fixtures, 'refused', `${name}.bin`)));
    const error = refusalOf(() => addon.Checkpoint.open(join(folder.path, name)));
    expect(error).toMatchObject({ code, params: { path, ...params } });
  });

  test('the sentence for the old format says how to convert it', () => {
    const path = folder.write('old/pytorch_model.bin', readFileSync(join(fixtures, 'refused/legacy.bin')));
    const { code, params } = refusalOf(() => addon.Checkpoint.open(join(path, '..')));
    for (const locale of ['en', 'zh-TW'] as const)
      expect(message(code, params, locale)).toContain('torch.save(torch.load("FILE", weights_only=True), "FILE")');
  });

  test('a file that was cut short', () => {
    const whole = readFileSync(join(fixtures, 'opt/pytorch_model.bin'));
    folder.write('cut/pytorch_model.bin', whole.subarray(0, whole.length / 2));
    expect(refusalOf(() => addon.Checkpoint.open(join(folder.path, 'cut'))).code).toBe('checkpoint.zip-truncated');
  });

  test('an index of .bin shards is held to the rules of the others', () => {
    const index = (map: object): string =>
      folder.write('index/pytorch_model.bin.index.json', JSON.stringify({ weight_map: map }));
    const path = index({ a: '../x.bin' });
    const open = (): unknown => addon.Checkpoint.open(join(path, '..'));
    expect(refusalOf(open).code).toBe('checkpoint.shard-name');
    index({ a: 'x.bin' });
    expect(refusalOf(open).code).toBe('checkpoint.shard-missing');
    copyFileSync(join(fixtures, 'state-dict.bin'), join(path, '..', 'x.bin'));
    expect(refusalOf(open)).toMatchObject({ code: 'checkpoint.tensor-not-in-shard', params: { path, tensor: 'a' } });
  });

  test.each(['config.json', 'model.safetensors'])('a link to nowhere: %s', async (name) => {
    const snapshot = linked(`dangling ${name}`, safetensorsModel);
    const path = join(snapshot, name);
    const target = `../../blobs/sha-of-${name}`;
    rmSync(join(snapshot, target));
    await expect(openModel(snapshot)).rejects.toMatchObject({
      code: 'checkpoint.dangling-link',
      params: { path, target },
    });
  });

  test('a shard and a tokenizer that are links to nowhere', async () => {
    const snapshot = linked('dangling shard', join(fixtures, 'opt-sharded'));
    symlinkSync('../../blobs/none', join(snapshot, 'tokenizer.json'));
    const tokenizer = { code: 'checkpoint.dangling-link', params: { path: join(snapshot, 'tokenizer.json') } };
    await expect(openModel(snapshot)).rejects.toMatchObject(tokenizer);
    rmSync(join(snapshot, 'tokenizer.json'));
    const shard = join(snapshot, 'pytorch_model-00002-of-00002.bin');
    rmSync(join(snapshot, '../../blobs/sha-of-pytorch_model-00002-of-00002.bin'));
    await expect(openModel(snapshot)).rejects.toMatchObject({
      code: 'checkpoint.dangling-link',
      params: { path: shard },
    });
  });
});
