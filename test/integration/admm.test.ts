import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventSchema } from '../../src/contract/events.ts';
import type { LayerResult } from '../../src/contract/report.ts';
import { constants } from '../../src/worker/native.ts';
import { numbersOf, readTensors, type ReadTensor } from '../fixtures/read-safetensors.ts';
import { bitsOf, killed, readReportOf, refusal, succeed, tamis, tinyFolder, type Tiny } from './helpers.ts';

let tiny: Tiny;
let count = 0;

beforeAll(() => {
  tiny = tinyFolder('admm');
});
afterAll(() => {
  tiny.remove();
});

function compressInto(out: string, ...flags: string[]): string[] {
  return ['compress', tiny.model, '--out', out, ...tiny.data, '--scheduler', 'uniform', ...flags];
}

async function compressed(...flags: string[]): Promise<{ out: string; layers: readonly LayerResult[] }> {
  const out = tiny.file(`out-${++count}`);
  await succeed(compressInto(out, ...flags), tiny);
  return { out, layers: readReportOf(out).layers };
}

function zerosOf(tensors: ReadonlyMap<string, ReadTensor>, layer: string): boolean[] {
  const tensor = tensors.get(`${layer}.weight`);
  if (!tensor) throw new Error(`no ${layer}`);
  return numbersOf(tensor).map((value) => value === 0);
}

const { iterations } = constants.method.admm;

describe('a run by ADMM', () => {
  test('tells of every layer how it came to its mask, and loses less in it than SparseGPT', async () => {
    const { out, layers } = await compressed('--method', 'admm', '--sparsity', '0.7');
    for (const layer of layers) {
      expect(layer.iterations).toHaveLength(iterations);
      const all = layer.iterations ?? [];
      for (const { changed, error } of all) {
        expect(changed).toBeGreaterThanOrEqual(0);
        expect(changed).toBeLessThanOrEqual(1);
        expect(error).toBeGreaterThanOrEqual(0);
        expect(error).toBeLessThan(1);
      }
      expect(all[0]).toEqual({ changed: 1, error: 0 });
      expect(all.at(-1)?.changed).toBeLessThan(0.05);
    }
    const lines = readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n');
    const told = lines.flatMap((line) => {
      const { at: _at, ...event } = JSON.parse(line) as { at: string };
      const parsed = eventSchema.parse(event);
      return parsed.type === 'layer' ? [parsed.layer] : [];
    });
    expect(told).toEqual(layers);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('id="iterations"');

    const swept = await compressed('--method', 'sparsegpt', '--sparsity', '0.7');
    expect(swept.layers.map((layer) => layer.iterations)).toEqual(swept.layers.map(() => null));
    // The layers of the first block have the same input.
    for (const [i, layer] of layers.entries())
      if (layer.block === 0) expect(layer.error, layer.name).toBeLessThan(swept.layers[i]?.error ?? NaN);
  });

  test('quantizes within its mask', async () => {
    const flags = ['--method', 'admm', '--sparsity', '0.6'];
    const pruned = await compressed(...flags);
    const quantized = await compressed(...flags, '--bits', '4', '--group-size', '32');
    const [before, after] = [readTensors(pruned.out), readTensors(quantized.out)];
    // Of the first block, whose layers have the same input; a weight may be rounded to zero, too.
    for (const { name } of quantized.layers.filter(({ block }) => block === 0)) {
      const mask = zerosOf(before, name);
      const kept = zerosOf(after, name);
      expect(
        mask.filter((isZero, i) => isZero && kept[i] !== true),
        name,
      ).toEqual([]);
    }
    expect(quantized.layers.map((layer) => layer.iterations?.length)).toEqual(quantized.layers.map(() => iterations));
  });

  test('at a target of 0 chooses the codes of OPTQ anew, and loses less', async () => {
    const flags = ['--sparsity', '0', '--bits', '3'];
    const [iterated, swept] = [
      await compressed('--method', 'admm', ...flags),
      await compressed('--method', 'sparsegpt', ...flags),
    ];
    const errors = ({ layers }: typeof swept): number[] =>
      layers.filter(({ block }) => block === 0).map(({ error }) => error ?? NaN);
    // Of the first block, whose layers have the same input.
    const ratios = errors(iterated).map((error, i) => error / (errors(swept)[i] ?? NaN));
    expect(Math.max(...ratios)).toBeLessThan(0.98);
    expect(iterated.layers.map((layer) => layer.iterations)).toEqual(iterated.layers.map(() => null));
    const whole = [
      await compressed('--method', 'admm', '--sparsity', '0'),
      await compressed('--method', 'sparsegpt', '--sparsity', '0'),
    ];
    const [asItWas, likewise] = whole.map(({ out }) => readTensors(out));
    expect(asItWas).toEqual(likewise);
  });

  test('that was killed ends with the bits of one that was not; another method is refused', async () => {
    const flags = ['--method', 'admm', '--sparsity', '0.7'];
    const whole = await compressed(...flags);
    const half = tiny.file('half');
    await killed(compressInto(half, ...flags), tiny.cache, { moment: 'ShardWriter.write', nth: 9, when: 'after' });
    expect(existsSync(join(half, 'report.json'))).toBe(false);
    const path = join(half, 'recipe.json');
    const recipe = readFileSync(path, 'utf8');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(recipe) as object), method: 'sparsegpt' }));
    expect(refusal(await tamis(['resume', half], tiny))).toContain('The recipe of the run');
    writeFileSync(path, recipe);
    await succeed(['resume', half], tiny);
    expect(bitsOf(half)).toEqual(bitsOf(whole.out));
  });

  test('is planned with what it costs', async () => {
    const planned = async (...flags: string[]): Promise<Record<string, number>> => {
      const { stdout } = await succeed(
        ['plan', tiny.model, ...tiny.data, '--scheduler', 'uniform', ...flags, '--json'],
        tiny,
      );
      const { stages } = JSON.parse(stdout) as { stages: { stage: string; operations: Record<string, number> }[] };
      return stages.find(({ stage }) => stage === 'compress')?.operations ?? {};
    };
    const admm = await planned('--method', 'admm', '--sparsity', '0.7');
    const swept = await planned('--method', 'sparsegpt', '--sparsity', '0.7');
    expect(admm['iterate']).toBeGreaterThan(10 * (swept['solve'] ?? NaN));
    expect(admm['solve']).toBeUndefined();
    // Nothing to prune, no inverses and next to no products: both energies, what OPTQ lost, and two passes.
    const quantizing = ['--sparsity', '0', '--bits', '4'];
    const { iterate, ...others } = await planned('--method', 'admm', ...quantizing);
    const optq = await planned('--method', 'sparsegpt', ...quantizing);
    expect(others).toEqual(optq);
    expect(iterate).toBe(5 * (optq['solve'] ?? NaN));
    const nothing = ['--sparsity', '0'];
    expect(await planned('--method', 'admm', ...nothing)).toEqual(await planned('--method', 'sparsegpt', ...nothing));
  });
});
