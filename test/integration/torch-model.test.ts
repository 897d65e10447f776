import { copyFileSync, cpSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { demoModel } from '../fixtures/demo-model.ts';
import { hubCache } from '../fixtures/hub-cache.ts';
import { readTensors } from '../fixtures/read-safetensors.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTokens } from '../fixtures/tiny-opt.ts';
import { cpu, readReportOf, succeed, type SpawnOptions } from './helpers.ts';

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
const tokenizer = join(demoModel, 'tokenizer.json');
const { path: root, remove } = testFolder('torch-model');
const options: SpawnOptions = { cache: join(root, 'cache') };
const [twin, single, sharded] = [join(root, 'twin'), join(root, 'single'), join(root, 'sharded')];

/** A model with a tokenizer beside it, as the hub's cache links it. */
function snapshot(model: string): string {
  const folder = join(root, 'plain', model);
  cpSync(join(fixtures, model), folder, { recursive: true });
  copyFileSync(tokenizer, join(folder, 'tokenizer.json'));
  return hubCache(join(root, 'hub', model), folder);
}

beforeAll(async () => {
  const calibration = writeTokens(join(root, 'calibration.safetensors'), [20, 16], 2, 90);
  const evaluation = writeTokens(join(root, 'evaluation.safetensors'), [200], 3, 90);
  const data = ['--calibration-tokens', calibration, '--evaluation-tokens', evaluation, '--sequences', '20', ...cpu];
  const flags = ['--scheduler', 'uniform', '--sparsity', '0.5', '--bits', '4'];
  for (const [out, model] of [
    [twin, 'models/opt-pre-norm'],
    [single, 'bin/opt'],
    [sharded, 'bin/opt-sharded'],
  ] as const)
    await succeed(['compress', snapshot(model), '--out', out, ...flags, ...data], options);
});
afterAll(remove);

test.each([single, sharded])('%s: the run of a .bin model is that of its safetensors twin', (run) => {
  const [report, expected] = [readReportOf(run), readReportOf(twin)];
  expect(report.measured).toEqual(expected.measured);
  expect(report.layers).toEqual(expected.layers);
  const [tensors, twins] = [readTensors(run), readTensors(twin)];
  expect([...tensors.keys()].sort()).toEqual([...twins.keys()].sort());
  for (const [name, tensor] of twins) expect(tensors.get(name), name).toEqual(tensor);
});

test('files beside the weights are copied, not linked', () => {
  expect(lstatSync(join(single, 'tokenizer.json')).isFile()).toBe(true);
  expect(readFileSync(join(single, 'tokenizer.json'))).toEqual(readFileSync(tokenizer));
});

test('the run is exported and brought back', async () => {
  const [archive, back] = [join(root, 'archive'), join(root, 'back')];
  await succeed(['export', sharded, '--format', 'tamis', '--out', archive], options);
  await succeed(['unpack', archive, '--out', back], options);
  expect(readTensors(back)).toEqual(readTensors(sharded));
});

test('inspect lists the tensors with the head once', async () => {
  const { stdout } = await succeed(['inspect', join(fixtures, 'bin/opt-sharded'), '--json'], options);
  const { tensors } = JSON.parse(stdout) as { tensors: { name: string }[] };
  expect(tensors.map(({ name }) => name).sort()).toEqual([...readTensors(twin).keys()].sort());
});
