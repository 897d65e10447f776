import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventSchema } from '../../src/contract/events.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { writeTokens } from '../fixtures/tiny-opt.ts';
import {
  bitsOf,
  cancelled,
  cpu,
  killed,
  refusal,
  succeed,
  tamis,
  tinyFolder,
  type Kill,
  type Tiny,
} from './helpers.ts';

const cpuAfterSignal = fileURLToPath(new URL('../fixtures/cpu-after-signal.mjs', import.meta.url));

let tiny: Tiny;
/** Of the run that nothing interrupted. */
let bits: ReturnType<typeof bitsOf>;

beforeAll(async () => {
  tiny = tinyFolder('resume');
  const out = tiny.file('whole');
  await succeed(compressInto(out), tiny);
  bits = bitsOf(out);
});
afterAll(() => {
  tiny.remove();
});

/** A place for a run with a cache of its own, so that nothing is found there that the run did not measure. */
function place(): { out: string; cache: string } {
  const folder = mkdtempSync(tiny.file('run-'));
  return { out: join(folder, 'out'), cache: join(folder, 'cache') };
}

function compressInto(out: string): string[] {
  return ['compress', tiny.model, '--out', out, ...tiny.data, '--scheduler', 'kmeans'];
}

/** Every line of the log is a whole event, and the last one says that the run finished. */
function expectWholeLog(out: string): void {
  const lines = readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n');
  const events = lines.map((line) => {
    const { at: _at, ...event } = JSON.parse(line) as { at: string };
    return eventSchema.parse(event);
  });
  expect(events.at(-1)?.type).toBe('finished');
}

describe('a run that was killed ends with the bits of one that was not', () => {
  const moments: readonly [when: Kill['when'], moment: string, nth: number][] = [
    // the first moments
    ['after', 'rename recipe.json', 1],
    ['torn', 'append stage', 1],
    ['before', 'rename state/fingerprint.json', 1],
    ['after', 'rename state/fingerprint.json', 1],
    ['torn', 'append started', 1],
    // perplexity of the dense model
    ['before', 'Session.run', 4],
    ['before', 'remove state/evaluation.f32', 1],
    ['torn', 'append measured', 1],
    ['before', 'rename state/evaluate-dense.json', 1],
    ['after', 'rename state/evaluate-dense.json', 1],
    // estimates
    ['after', 'write state/estimate.f32', 3],
    ['before', 'Gram.add', 11],
    ['after', 'append estimate', 7],
    ['before', 'rename state/estimate.json', 1],
    // schedule
    ['before', 'rename state/schedule.json', 1],
    ['after', 'rename state/schedule.json', 1],
    ['torn', 'append schedule', 1],
    // the first block: embedding, Grams, sweep, shard, propagation, record
    ['after', 'open state/activations-0000.f32', 1],
    ['after', 'write state/activations-0000.f32', 1],
    ['before', 'Gram.add', 24 + 3],
    ['after', 'ShardWriter.copy', 4],
    ['before', 'ShardWriter.write', 2],
    ['torn', 'append layer', 3],
    ['before', 'ShardWriter.finish', 1],
    ['after', 'ShardWriter.finish', 1],
    ['after', 'write state/activations-0001.f32', 1],
    ['before', 'fsync state/activations-0001.f32', 1],
    ['before', 'rename state/block-0000.json', 1],
    ['after', 'rename state/block-0000.json', 1],
    ['after', 'remove state/activations-0000.f32', 1],
    ['torn', 'append block', 1],
    // later blocks and the rest of the model
    ['before', 'Gram.add', 24 + 8 + 2],
    ['after', 'ShardWriter.write', 8],
    ['after', 'rename state/block-0001.json', 1],
    ['after', 'rename state/block-0002.json', 1],
    ['before', 'ShardWriter.finish', 4],
    ['before', 'copy config.json', 1],
    ['before', 'rename model.safetensors.index.json', 1],
    ['before', 'rename state/model.json', 1],
    // perplexity of the compressed model, and the report
    ['before', 'Session.run', 51],
    ['after', 'rename state/evaluate-compressed.json', 1],
    ['before', 'rename README.md', 1],
    ['after', 'rename report.html', 1],
    ['before', 'rename report.json', 1],
    ['torn', 'append finished', 1],
  ];

  test.each(moments)('%s %s %d', async (when, moment, nth) => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, { when, moment, nth });
    await succeed(['resume', out], { cache });
    expect(bitsOf(out)).toEqual(bits);
    expectWholeLog(out);
  });

  test('before its recipe was written: nothing is to be resumed, and the same command begins anew', async () => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, { moment: 'rename recipe.json', when: 'before' });
    expect(refusal(await tamis(['resume', out], { cache }))).toContain('is not a run directory');
    await succeed(compressInto(out), { cache });
    expect(bitsOf(out)).toEqual(bits);
  });

  test('twice in the same block, then in another, then in the report', async () => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, { moment: 'ShardWriter.write', nth: 9, when: 'after' });
    await killed(['resume', out], cache, { moment: 'ShardWriter.write', nth: 2, when: 'after' });
    await killed(['resume', out], cache, { moment: 'rename state/block-0001.json', when: 'after' });
    await killed(['resume', out], cache, { moment: 'remove state/activations-0002.f32', when: 'before' });
    await killed(['resume', out], cache, { moment: 'rename report.json', when: 'before' });
    await succeed(['resume', out], { cache });
    expect(bitsOf(out)).toEqual(bits);
    expectWholeLog(out);
  });

  test('and resumed without the cache that its first start measured', async () => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, { moment: 'rename state/block-0000.json', when: 'after' });
    await succeed(['resume', out], { cache: `${cache}-empty` });
    expect(bitsOf(out)).toEqual(bits);
  });
});

describe('a quantizing run that was killed ends with the bits of one that was not', () => {
  const quantizing = ['--bits', '4', '--group-size', '32', '--act-order', '--exception', '*.v_proj=none'];
  let quantized: ReturnType<typeof bitsOf>;
  beforeAll(async () => {
    const out = tiny.file('quantized');
    await succeed([...compressInto(out), ...quantizing], tiny);
    quantized = bitsOf(out);
    expect(readdirSync(join(out, 'quantization'))).toHaveLength(3);
  });

  // A layer has its weight, scales, zero points and maybe groups written; a block's scales are finished, then its shard.
  const moments: readonly [when: Kill['when'], moment: string, nth: number][] = [
    ['after', 'ShardWriter.write', 6],
    ['after', 'ShardWriter.finish', 1],
    ['before', 'ShardWriter.finish', 3],
    ['before', 'rename state/block-0001.json', 1],
  ];
  test.each(moments)('%s %s %d', async (when, moment, nth) => {
    const { out, cache } = place();
    await killed([...compressInto(out), ...quantizing], cache, { when, moment, nth });
    await succeed(['resume', out], { cache });
    expect(bitsOf(out)).toEqual(quantized);
    expectWholeLog(out);
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
    expect(bitsOf(out)).toEqual(bits);
  });

  test('what is no run says that there is nothing to be continued', async () => {
    const { cache } = place();
    const args = ['eval', tiny.model, '--evaluation-tokens', tiny.file('evaluation.safetensors'), ...cpu];
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
    const calibration = writeTokens(tiny.file(`${scheduler}.safetensors`), [128, 256], 1, 8192);
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
