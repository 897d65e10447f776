import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { demoModel } from '../fixtures/demo-model.ts';
import { writeTokens } from '../fixtures/tiny-opt.ts';
import { bitsOf, cancelled, cpu, killed, refusal, succeed, tamis } from './helpers.ts';
import { everySecond, expectWholeLog, useInterrupted, type Moment } from './interrupted.ts';

const cpuAfterSignal = fileURLToPath(new URL('../fixtures/cpu-after-signal.mjs', import.meta.url));

const use = useInterrupted('resume');
const { place, compressInto, expectSameBits } = use;

describe('a run that was killed ends with the bits of one that was not', () => {
  /** The others: test/real/resume.test.ts. */
  test.each(everySecond(0))('%s %s %d', async (...moment) => {
    await expectSameBits(moment, use.bits);
  });

  test('before its recipe was written: nothing is to be resumed, and the same command begins anew', async () => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, { moment: 'rename recipe.json', when: 'before' });
    expect(refusal(await tamis(['resume', out], { cache }))).toContain('is not a run directory');
    await succeed(compressInto(out), { cache });
    expect(bitsOf(out)).toEqual(use.bits);
  });

  test('twice in the same block, then in another, then in the report', async () => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, { moment: 'ShardWriter.write', nth: 9, when: 'after' });
    await killed(['resume', out], cache, { moment: 'ShardWriter.write', nth: 2, when: 'after' });
    await killed(['resume', out], cache, { moment: 'rename state/block-0001.json', when: 'after' });
    await killed(['resume', out], cache, { moment: 'remove state/activations-0002.f32', when: 'before' });
    await killed(['resume', out], cache, { moment: 'rename report.json', when: 'before' });
    await succeed(['resume', out], { cache });
    expect(bitsOf(out)).toEqual(use.bits);
    expectWholeLog(out);
  });

  test('and resumed without the cache that its first start measured', async () => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, { moment: 'rename state/block-0000.json', when: 'after' });
    await succeed(['resume', out], { cache: `${cache}-empty` });
    expect(bitsOf(out)).toEqual(use.bits);
  });
});

describe('a quantizing run that was killed ends with the bits of one that was not', () => {
  const quantizing = ['--bits', '4', '--group-size', '32', '--act-order', '--exception', '*.v_proj=none'];
  let quantized: ReturnType<typeof bitsOf>;
  beforeAll(async () => {
    const out = use.tiny.file('quantized');
    await succeed([...compressInto(out), ...quantizing], use.tiny);
    quantized = bitsOf(out);
    expect(readdirSync(join(out, 'quantization'))).toHaveLength(3);
  });

  // A layer has its weight, scales, zero points and maybe groups written; a block's scales are finished, then its shard.
  test.each<Moment>([
    ['after', 'ShardWriter.write', 6],
    ['after', 'ShardWriter.finish', 1],
    ['before', 'ShardWriter.finish', 3],
    ['before', 'rename state/block-0001.json', 1],
  ])('%s %s %d', async (...moment) => {
    await expectSameBits(moment, quantized, quantizing);
  });
});

describe('cancelling', () => {
  test.each([
    ['SIGINT', { moment: 'Session.run', nth: 4, when: 'stop' }],
    ['SIGINT', { moment: 'append estimate', nth: 7, when: 'stop' }],
    ['SIGINT', { moment: 'append layer', nth: 2, when: 'stop' }],
    ['SIGTERM', { moment: 'write state/activations-0001.f32', when: 'stop' }],
    ['SIGTERM', { moment: 'Session.run', nth: 51, when: 'stop' }],
  ] as const)('by %s at %o: exit code 130, and resume ends with the same bits', async (signal, kill) => {
    const { out, cache } = place();
    const { code, stderr } = await cancelled(signal, kill, compressInto(out), cache);
    expect(code, stderr).toBe(130);
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(
      `tamis: The run was cancelled. Continue it with: tamis resume ${out}`,
    );
    expect(readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n').at(-1)).toContain(
      '"code":"cancelled"',
    );
    await succeed(['resume', out], { cache });
    expect(bitsOf(out)).toEqual(use.bits);
  });

  test('what is no run says that there is nothing to be continued', async () => {
    const { cache } = place();
    const args = ['eval', use.tiny.model, '--evaluation-tokens', use.tiny.file('evaluation.safetensors'), ...cpu];
    const { code, stderr } = await cancelled('SIGINT', { moment: 'Session.run', nth: 4, when: 'stop' }, args, cache);
    expect(code, stderr).toBe(130);
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(
      'tamis: Cancelled: nothing was begun that could be continued. Start it again when you like.',
    );
    expect(readdirSync(cache), 'scratch files were left').toEqual([]);
  });

  test.each([
    ['while layers are estimated', 'kmeans', 'estimate'],
    ['while blocks are compressed', 'uniform', 'compress'],
  ])('a larger run within a second, %s', async (_, scheduler, stage) => {
    const { out, cache } = place();
    const calibration = writeTokens(use.tiny.file(`${scheduler}.safetensors`), [128, 256], 1, 8192);
    let sent = false;
    const { code, stderr } = await tamis(
      ['compress', demoModel, '--out', out, '--calibration-tokens', calibration, '--scheduler', scheduler, ...cpu],
      {
        cache,
        preload: [cpuAfterSignal],
        onStderr: (text, send) => {
          if (sent || !/^Run /m.test(text)) return;
          sent = true;
          setTimeout(() => send('SIGINT'), 500);
        },
      },
    );
    expect(code, stderr).toBe(130);
    // On one thread, so as much on the clock where nothing else runs.
    expect(Number(/^([\d.]+) ms after SIGINT$/m.exec(stderr)?.[1])).toBeLessThan(1500);
    const log = readFileSync(join(out, 'events.jsonl'), 'utf8');
    expect(log).toContain(`"stage":"${stage}","state":"started"`);
    expect(log).not.toContain(`"stage":"${stage}","state":"finished"`);
  });
});
