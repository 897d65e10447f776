import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';

import type { RunEvent } from '../../src/contract/events.ts';
import { parseRecipe } from '../../src/contract/recipe.ts';
import type { Report } from '../../src/contract/report.ts';
import { compress } from '../../src/worker/engine.ts';
import type * as block from '../../src/worker/compress/block.ts';
import { shardName } from '../../src/worker/compress/shards.ts';
import { useOwnCache } from '../fixtures/own-cache.ts';
import { fixtureFolder } from '../fixtures/models.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTinyOpt } from '../fixtures/tiny-opt.ts';
import { againstUniform, randomData, targets } from './against-uniform.ts';

interface Overflow {
  /** Trials of `auto` that are to overflow; 0 is uniform. */
  trials: readonly number[];
  where: 'calibration' | 'head';
  /** Trials so far. */
  begun: number;
}
const overflow = vi.hoisted((): Overflow => ({ trials: [], where: 'calibration', begun: 0 }));

vi.mock('../../src/worker/compress/block.ts', async (importOriginal) => {
  const original = await importOriginal<typeof block>();
  const compressBlock: typeof block.compressBlock = async (work, index, schedule) => {
    const layers = await original.compressBlock(work, index, schedule);
    const { directory, model } = work;
    if (!directory.path.endsWith('choose')) return layers;
    if (index === 0) overflow.begun++;
    if (!overflow.trials.includes(overflow.begun - 1)) return layers;
    const last = index === model.family.blocks - 1;
    if (overflow.where === 'calibration' && index === 0) fill(directory.file('state', original.activationsFile(1)), 0);
    if (overflow.where === 'head' && last) fill(directory.file(shardName(model, index + 1)), dataOf);
    return layers;
  };
  return { ...original, compressBlock };
});

/** Makes every float of a file, from so many bytes on, infinite. */
function fill(path: string, start: number | ((bytes: Buffer) => number)): void {
  const bytes = readFileSync(path);
  for (let at = typeof start === 'number' ? start : start(bytes); at < bytes.length; at += 4)
    bytes.writeFloatLE(Infinity, at);
  writeFileSync(path, bytes);
}

/** Where the data of a safetensors file begins. */
function dataOf(bytes: Buffer): number {
  return 8 + Number(bytes.readBigUInt64LE());
}

const folder = testFolder('against-uniform');
useOwnCache(folder);
const data = randomData(folder.path);
let count = 0;

afterEach(() => {
  Object.assign(overflow, { trials: [], where: 'calibration', begun: 0 });
});
afterAll(() => {
  folder.remove();
});

/** Of the random models two with which the lowest perplexity misleads; all of them, and the demo model: test/real/auto.test.ts. */
describe.each(['bloom-plain', 'gpt2-inverse-layers'])(
  'auto on %s, a random model, is not worse than uniform',
  (name) => {
    test.each(targets)('at %d', async (target) => {
      const recipe = { model: fixtureFolder(name), ...data };
      const { auto, perplexity } = await againstUniform(recipe, target, join(folder.path, String(++count)));
      expect(auto.choice?.candidates).toHaveLength(4);
      expect(perplexity.auto).toBeLessThanOrEqual(perplexity.uniform);
      if (auto.choice?.chosen === 0) expect(perplexity.auto).toBe(perplexity.uniform);
    });
  },
);

describe('a trial that overflows', () => {
  /** A run by `auto`; of another model than those before nothing is kept. */
  async function run(
    trials: Overflow['trials'],
    where: Overflow['where'],
    seed = ++count,
  ): Promise<{ report: Report; events: RunEvent[] }> {
    Object.assign(overflow, { trials, where });
    const model = writeTinyOpt(join(folder.path, `model-${seed}`), { blocks: 2, seed });
    const recipe = parseRecipe({ model, ...data, scheduler: { kind: 'auto' } });
    const events: RunEvent[] = [];
    const options = { signal: new AbortController().signal, onEvent: (event: RunEvent) => void events.push(event) };
    const report = await compress(recipe, join(folder.path, `out-${++count}`), options);
    return { report, events };
  }

  test.each([
    ['in the calibration sequences', 'calibration', [1], ['allocate ±10']],
    ['in those held back', 'head', [2], ['allocate ±30']],
    ['all schedules', 'calibration', [1, 2], ['allocate ±10', 'allocate ±30']],
    ['that of dense targets', 'head', [1, 2, 3], ['allocate ±10', 'allocate ±30', 'uniform, dense targets']],
  ] as const)('%s: loses, with a warning', async (_, where, trials, schedules) => {
    const { report, events } = await run(trials, where);
    expect(overflow.begun).toBe(4);
    const warnings = schedules.map((schedule) => ({ code: 'schedule.trial-not-finite', params: { schedule } }));
    expect(report.warnings).toEqual(warnings);
    expect(events.filter(({ type }) => type === 'warning')).toHaveLength(warnings.length);
    const { candidates, chosen } = report.choice ?? { candidates: [], chosen: NaN };
    candidates.forEach(({ perplexity }, i) => {
      if (trials.some((trial) => trial === i)) expect(perplexity, String(i)).toBeNull();
      else expect(perplexity, String(i)).toBeGreaterThan(0);
    });
    expect(trials).not.toContain(chosen);
  });

  test('is not tried again by another run, which tells of it too', async () => {
    const seed = ++count;
    const first = await run([2], 'head', seed);
    const second = await run([2], 'head', seed);
    expect(overflow.begun).toBe(4);
    expect(second.report.choice).toEqual(first.report.choice);
    expect(second.report.warnings).toEqual(first.report.warnings);
    expect(second.report.warnings).toHaveLength(1);
  });

  test.each([
    ['calibration', 'calibration.not-finite'],
    ['head', 'calibration.held-back-not-finite'],
  ] as const)('of uniform, in the %s: the run is refused', async (where, code) => {
    await expect(run([0], where)).rejects.toMatchObject({ code });
    expect(overflow.begun).toBe(1);
  });
});
