import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, expect, test } from 'vitest';

import * as addon from '#native';

import { testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('make-model');
afterAll(folder.remove);

const script = fileURLToPath(new URL('../../scripts/make-model.mjs', import.meta.url));

/** Runs the script; the folder it made, or its one line of complaint. */
function make(name: string, flags: string): { path: string; complaint: string } {
  const path = join(folder.path, name);
  const args = [script, path, ...flags.split(' ').filter(Boolean)];
  return { path, complaint: spawnSync(process.execPath, args, { encoding: 'utf8' }).stderr.trim() };
}

test('the parts that the options ask for, in their shapes', () => {
  const { path, complaint } = make('odd', '--post-norm --word-embed-proj-dim 32 --untied --no-bias --shard-size 300KB');
  expect(complaint).toBe('');
  const shapes = new Map(
    addon.Checkpoint.open(path)
      .tensors()
      .map(({ name, shape }) => [name, shape]),
  );
  expect(shapes.get('model.decoder.embed_tokens.weight')).toEqual([8192, 32]);
  expect(shapes.get('model.decoder.embed_positions.weight')).toEqual([130, 64]);
  expect(shapes.get('model.decoder.project_in.weight')).toEqual([64, 32]);
  expect(shapes.get('model.decoder.project_out.weight')).toEqual([32, 64]);
  expect(shapes.get('model.decoder.layers.1.fc2.weight')).toEqual([64, 256]);
  expect(shapes.get('lm_head.weight')).toEqual([8192, 32]);
  expect(shapes.has('model.decoder.layers.0.fc1.bias')).toBe(false);
  expect(shapes.has('model.decoder.final_layer_norm.weight')).toBe(false);
  expect(existsSync(join(path, 'model.safetensors.index.json'))).toBe(true);
  expect(existsSync(join(path, 'tokenizer.json'))).toBe(true);
});

test('normal weights of deviation 0.02 from the seed, layer norms at one', () => {
  const read = (seed: number, name: string): Float32Array =>
    addon.Checkpoint.open(join(folder.path, `seed-${seed}`)).readF32(name);
  for (const seed of [0, 1])
    expect(make(`seed-${seed}`, `--seed ${seed} --vocab 100 --hidden 65 --heads 5`).complaint).toBe('');
  const weight = read(0, 'model.decoder.layers.0.fc1.weight');
  const moment = (power: number): number => weight.reduce((sum, w) => sum + (w / 0.02) ** power, 0) / weight.length;
  expect(weight).toHaveLength(256 * 65);
  // Three standard errors of 16640 normal samples.
  expect(Math.abs(moment(1))).toBeLessThan(3 / Math.sqrt(weight.length));
  expect(Math.abs(moment(2) - 1)).toBeLessThan(3 * Math.sqrt(2 / weight.length));
  expect(read(1, 'model.decoder.layers.0.fc1.weight')).not.toEqual(weight);
  expect([...new Set(read(0, 'model.decoder.layers.1.final_layer_norm.weight'))]).toEqual([1]);
  expect(new Set(read(0, 'model.decoder.layers.1.final_layer_norm.bias')).size).toBeGreaterThan(60);
  expect(existsSync(join(folder.path, 'seed-0', 'tokenizer.json'))).toBe(false);

  make('again', '--seed 0 --vocab 100 --hidden 65 --heads 5');
  const file = (name: string): Buffer => readFileSync(join(folder.path, name, 'model.safetensors'));
  expect(file('again').equals(file('seed-0'))).toBe(true);
});

test('refuses what makes no model', () => {
  expect(make('none', '--heads 3').complaint).toBe('--heads 3 must divide --hidden 64.');
  expect(make('none', '--layers two').complaint).toBe('--layers must be a whole number.');
  expect(existsSync(join(folder.path, 'none'))).toBe(false);
});
