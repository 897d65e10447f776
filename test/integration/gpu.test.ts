import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { softwareGpu } from '../../scripts/software-gpu.mjs';
import { demoTexts } from '../fixtures/demo-texts.ts';
import {
  killAt,
  readReportOf,
  refusal,
  sha256,
  succeed,
  tamis,
  tinyFolder,
  type SpawnOptions,
  type Tiny,
} from './helpers.ts';

const demoModel = fileURLToPath(new URL('../../resources/demo-model', import.meta.url));
const probe = fileURLToPath(new URL('gpu-probe.ts', import.meta.url));
const loseGpu = fileURLToPath(new URL('../fixtures/lose-gpu.mjs', import.meta.url));
/** The software adapter, or the GPU that TAMIS_GPU names. */
const software = process.env['TAMIS_GPU'] === undefined ? await softwareGpu() : {};
const name = process.env['TAMIS_GPU'] ?? 'SwiftShader Device (Subzero)';

describe.skipIf(software === null)('a run on the GPU', { timeout: 240_000 }, () => {
  let tiny: Tiny;
  let options: SpawnOptions;

  beforeAll(() => {
    tiny = tinyFolder('gpu');
    options = { cache: tiny.cache, env: { ...software } };
  });
  afterAll(() => {
    tiny.remove();
  });

  const onGpu = ['--gpu', name];
  const at60 = ['--sparsity', '0.6', '--scheduler', 'uniform'];
  const compress = (model: Tiny, out: string, ...more: string[]): string[] => [
    ...['compress', model.model, '--out', model.file(out), ...model.data, ...more],
  ];
  /** Those of the blocks. */
  const shards = (out: string): string[] =>
    [2, 3, 4].map((shard) => sha256(tiny.file(join(out, `model-0000${shard}-of-00004.safetensors`))));
  const perplexityOf = (path: string): number => readReportOf(path).perplexity[0]?.compressed ?? NaN;
  const losing = (how: 'lost' | 'out-of-memory', nth: number): SpawnOptions => ({
    ...options,
    preload: [loseGpu],
    env: { ...software, LOSE_GPU: JSON.stringify({ how, nth }) },
  });

  test('the demo model: a perplexity within 0.5 % of the CPU, and the report names the GPU', async () => {
    const run = (out: string, gpu: string): string[] => [
      ...['compress', demoModel, '--out', tiny.file(out), '--scheduler', 'uniform', '--device', 'cpu', '--gpu', gpu],
      ...['--calibration', demoTexts.calibration, '--sequences', '8', '--calibration-seqlen', '256'],
      ...['--evaluation', demoTexts.evaluation, '--windows', '64', '--seqlen', '256'],
    ];
    await succeed(run('demo-cpu', 'none'), options);
    await succeed(run('demo-gpu', name), options);
    const [cpu, gpu] = [readReportOf(tiny.file('demo-cpu')), readReportOf(tiny.file('demo-gpu'))];
    const [expected = NaN, found = NaN] = [cpu, gpu].map(({ perplexity }) => perplexity[0]?.compressed);
    expect(Math.abs(found / expected - 1)).toBeLessThan(0.005);
    expect(found).not.toBe(expected);
    expect(cpu.environment).toMatchObject({ gpu: null, gpuDriver: null });
    expect(gpu.environment).toMatchObject({ gpu: name, gpuDriver: expect.stringMatching(/./) as string });
    expect(gpu.warnings).toEqual([]);
  });

  test('every layer of the demo model: from equal weights and Hessians 99.9 % of the masks are equal', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [probe, name], {
      env: { ...process.env, ...software },
    });
    const agreement = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, number>;
    expect(Object.keys(agreement)).toHaveLength(48);
    for (const [layer, share] of Object.entries(agreement)) expect(share, layer).toBeGreaterThanOrEqual(0.999);
  });

  test.each([
    ['k-means, 4 bits in the order of activity', '--scheduler', 'kmeans', '--bits', '4', '--act-order'],
    ['measured sensitivities', '--scheduler', 'allocate', '--range', '0.05'],
  ])('%s: estimates and sensitivities are those of the CPU', async (_, ...more) => {
    const [cpu, gpu] = ['none', name].map((on) => ({ on, out: `${more.join('')}${on}` }));
    const reports = [];
    for (const { on, out } of [cpu, gpu].flatMap((one) => (one ? [one] : []))) {
      await succeed(compress(tiny, out, '--sparsity', '0.6', '--gpu', on, ...more), options);
      reports.push(readReportOf(tiny.file(out)));
    }
    const [expected, found] = reports;
    expect(found?.layers).toHaveLength(18);
    found?.layers.forEach((layer, i) => {
      const other = expected?.layers[i];
      expect(layer.estimate, layer.name).toBeCloseToShare(other?.estimate ?? NaN, 1e-3);
      expect(layer.sensitivity === null).toBe(other?.sensitivity === null);
      if (layer.sensitivity !== null) expect(layer.sensitivity).toBeCloseToShare(other?.sensitivity ?? NaN, 0.02);
      expect(layer.error).toBeCloseToShare(other?.error ?? NaN, 0.01);
    });
  });

  describe('that loses it', () => {
    beforeAll(async () => {
      await succeed(compress(tiny, 'whole', ...at60, ...onGpu), options);
      // In the second block: each adds to four Gram matrices, twice.
      await succeed(compress(tiny, 'lost', ...at60, ...onGpu), losing('lost', 10));
    });

    test('goes on on the CPU from the last finished block, and says so', () => {
      const [whole, lost] = [shards('whole'), shards('lost')];
      expect(lost[0]).toBe(whole[0]);
      expect(lost[1]).not.toBe(whole[1]);
      const { warnings } = readReportOf(tiny.file('lost'));
      expect(warnings).toMatchObject([{ code: 'device.given-up', params: { device: name, step: 'block-0001' } }]);
      expect(readFileSync(tiny.file('lost/events.jsonl'), 'utf8')).toMatch(
        /"type":"devices","device":"cpu","gpu":null/,
      );
      expect(perplexityOf(tiny.file('lost'))).toBeCloseToShare(perplexityOf(tiny.file('whole')), 0.005);
    });

    test('out of memory comes to the same bits as lost', async () => {
      await succeed(compress(tiny, 'full', ...at60, ...onGpu), losing('out-of-memory', 10));
      expect(shards('full')).toEqual(shards('lost'));
    });

    test('and is killed on the CPU goes on there, to the same bits, though the GPU is gone', async () => {
      const { preload = [], env = {} } = losing('lost', 10);
      const kill = killAt({ moment: 'rename state/block-0001.json', when: 'after' });
      const ended = await tamis(compress(tiny, 'killed', ...at60, ...onGpu), {
        ...options,
        preload: [...preload, ...(kill.preload ?? [])],
        env: { ...env, ...kill.env },
      });
      expect(ended.signal, ended.stderr).toBe('SIGKILL');
      await succeed(['resume', tiny.file('killed')], { cache: tiny.cache });
      expect(shards('killed')).toEqual(shards('lost'));
    });

    test('ends with a sentence where the recipe forbids the CPU, and goes on on the GPU to the bits of one that was not', async () => {
      const run = compress(tiny, 'forbidden', ...at60, ...onGpu, '--no-cpu-fallback');
      expect(refusal(await tamis(run, losing('lost', 10)))).toMatch(/^The GPU .* was lost: .* Resume the run/);
      await succeed(['resume', tiny.file('forbidden')], options);
      expect(shards('forbidden')).toEqual(shards('whole'));
    });
  });

  test("a pattern that the GPU does not know is the CPU's, layer by layer, and the log says so", async () => {
    const wide = tinyFolder('gpu-wide', { hidden: 64, ffn: 192 });
    try {
      await succeed(compress(wide, 'gpu', '--nm', '32:64', ...onGpu), options);
      await succeed(compress(wide, 'cpu', '--nm', '32:64', '--gpu', 'none'), options);
      const report = readReportOf(wide.file('gpu'));
      expect(report.sparsity.actual).toBe(0.5);
      expect(new Set(report.warnings.map(({ code }) => code))).toEqual(new Set(['gpu.layers-on-cpu']));
      expect(perplexityOf(wide.file('gpu'))).toBeCloseToShare(perplexityOf(wide.file('cpu')), 0.005);
    } finally {
      wide.remove();
    }
  });

  // Of a real one the driver stays.
  test.runIf(name.startsWith('SwiftShader'))('a run that began on the GPU does not go on without it', async () => {
    const kill = killAt({ moment: 'rename state/block-0000.json', when: 'after' });
    const run = compress(tiny, 'begun', ...at60, ...onGpu);
    const ended = await tamis(run, { ...options, preload: kill.preload ?? [], env: { ...software, ...kill.env } });
    expect(ended.signal, ended.stderr).toBe('SIGKILL');
    expect(refusal(await tamis(['resume', tiny.file('begun')], { cache: tiny.cache }))).toMatch(
      /^There is no GPU SwiftShader/,
    );
  });
});

expect.extend({
  /** Within a share of the expected value. */
  toBeCloseToShare(received: number, expected: number, share: number) {
    return {
      pass: Math.abs(received - expected) <= share * Math.abs(expected),
      message: () => `expected ${received} to be within ${share} of ${expected}`,
    };
  },
});

interface ShareMatchers {
  toBeCloseToShare(expected: number, share: number): void;
}

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the way that Vitest documents
  interface Matchers extends ShareMatchers {}
}
