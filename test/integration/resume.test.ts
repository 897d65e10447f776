import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventSchema } from '../../src/contract/events.ts';
import { writeTokens } from '../fixtures/tiny-opt.ts';
import { bitsOf, cpu, refusal, succeed, tamis, tinyFolder, type Ended, type Tiny } from './helpers.ts';

const killAt = fileURLToPath(new URL('../fixtures/kill-at.mjs', import.meta.url));
const demoModel = fileURLToPath(new URL('../../resources/demo-model', import.meta.url));

let tiny: Tiny;
/** Of the run that nothing interrupted. */
let bits: ReturnType<typeof bitsOf>;

beforeAll(async () => {
  tiny = tinyFolder('resume');
  const out = tiny.file('whole');
  await succeed(['compress', tiny.model, '--out', out, ...tiny.data], tiny);
  bits = bitsOf(out);
});
afterAll(() => {
  tiny.remove();
});

interface Kill {
  moment: string;
  when: 'before' | 'after' | 'torn' | 'stop';
  nth?: number;
}

/** A place for a run with a cache of its own, so that nothing is found there that the run did not measure. */
function place(): { out: string; cache: string } {
  const folder = mkdtempSync(tiny.file('run-'));
  return { out: join(folder, 'out'), cache: join(folder, 'cache') };
}

async function killed(args: readonly string[], cache: string, kill: Kill): Promise<void> {
  const ended = await tamis(args, { cache, preload: [killAt], env: { KILL_AT: JSON.stringify(kill) } });
  expect(ended.signal, `${JSON.stringify(kill)} never came: ${ended.stderr}`).toBe('SIGKILL');
}

function compressInto(out: string): string[] {
  return ['compress', tiny.model, '--out', out, ...tiny.data];
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
  const moments: Kill[] = [
    // the first moments
    { moment: 'rename recipe.json', when: 'after' },
    { moment: 'append stage', when: 'torn' },
    { moment: 'rename state/fingerprint.json', when: 'before' },
    { moment: 'rename state/fingerprint.json', when: 'after' },
    { moment: 'append started', when: 'torn' },
    // perplexity of the dense model
    { moment: 'Session.run', nth: 4, when: 'before' },
    { moment: 'remove state/evaluation.f32', when: 'before' },
    { moment: 'append perplexity', when: 'torn' },
    { moment: 'rename state/evaluate-dense.json', when: 'before' },
    { moment: 'rename state/evaluate-dense.json', when: 'after' },
    // estimates
    { moment: 'write state/estimate.f32', nth: 3, when: 'after' },
    { moment: 'Gram.add', nth: 11, when: 'before' },
    { moment: 'append estimate', nth: 7, when: 'after' },
    { moment: 'rename state/estimate.json', when: 'before' },
    // schedule
    { moment: 'rename state/schedule.json', when: 'before' },
    { moment: 'rename state/schedule.json', when: 'after' },
    { moment: 'append schedule', when: 'torn' },
    // the first block: embedding, Grams, sweep, shard, propagation, record
    { moment: 'open state/activations-0000.f32', when: 'after' },
    { moment: 'write state/activations-0000.f32', when: 'after' },
    { moment: 'Gram.add', nth: 24 + 3, when: 'before' },
    { moment: 'ShardWriter.copy', nth: 4, when: 'after' },
    { moment: 'ShardWriter.write', nth: 2, when: 'before' },
    { moment: 'append layer', nth: 3, when: 'torn' },
    { moment: 'ShardWriter.finish', when: 'before' },
    { moment: 'ShardWriter.finish', when: 'after' },
    { moment: 'write state/activations-0001.f32', when: 'after' },
    { moment: 'fsync state/activations-0001.f32', when: 'before' },
    { moment: 'rename state/block-0000.json', when: 'before' },
    { moment: 'rename state/block-0000.json', when: 'after' },
    { moment: 'remove state/activations-0000.f32', when: 'after' },
    { moment: 'append block', when: 'torn' },
    // later blocks and the rest of the model
    { moment: 'Gram.add', nth: 24 + 8 + 2, when: 'before' },
    { moment: 'ShardWriter.write', nth: 8, when: 'after' },
    { moment: 'rename state/block-0001.json', when: 'after' },
    { moment: 'rename state/block-0002.json', when: 'after' },
    { moment: 'ShardWriter.finish', nth: 4, when: 'before' },
    { moment: 'copy config.json', when: 'before' },
    { moment: 'rename model.safetensors.index.json', when: 'before' },
    { moment: 'rename state/model.json', when: 'before' },
    // perplexity of the compressed model, and the report
    { moment: 'Session.run', nth: 51, when: 'before' },
    { moment: 'rename state/evaluate-compressed.json', when: 'after' },
    { moment: 'rename README.md', when: 'before' },
    { moment: 'rename report.html', when: 'after' },
    { moment: 'rename report.json', when: 'before' },
    { moment: 'append finished', when: 'torn' },
  ];

  test.each(moments)('$when $moment $nth', async (kill) => {
    const { out, cache } = place();
    await killed(compressInto(out), cache, kill);
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

describe('cancelling', () => {
  /** Halts the process at a moment, sends the signal, lets it go on (again and again: it may not have halted yet). */
  async function cancelled(signal: 'SIGINT' | 'SIGTERM', kill: Kill, args: readonly string[], cache: string): Promise<Ended> {
    let going: NodeJS.Timeout | undefined;
    const ended = await tamis(args, {
      cache,
      preload: [killAt],
      env: { KILL_AT: JSON.stringify(kill) },
      onStderr: (stderr, send) => {
        if (going !== undefined || !stderr.includes('stopped by the test')) return;
        send(signal);
        going = setInterval(() => {
          send('SIGCONT');
        }, 50);
      },
    });
    clearInterval(going);
    return ended;
  }

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
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(`tamis: The run was cancelled. Continue it with: tamis resume ${out}`);
    expect(readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n').at(-1)).toContain('"code":"cancelled"');
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
    ['Perplexity of the dense model', 'while layers are estimated', 'kmeans'],
    ['Schedule', 'while blocks are compressed', 'uniform'],
  ])('a larger run within a second, after "%s": %s', async (line, _, scheduler) => {
    const { out, cache } = place();
    const calibration = writeTokens(tiny.file(`${scheduler}.safetensors`), [128, 256], 1, 8192);
    let at = 0;
    const { code, stderr } = await tamis(
      ['compress', demoModel, '--out', out, '--calibration-tokens', calibration, '--scheduler', scheduler, ...cpu],
      {
        cache,
        onStderr: (text, send) => {
          if (at > 0 || !text.includes(`${line}:`)) return;
          setTimeout(() => {
            at = performance.now();
            send('SIGINT');
          }, 500);
        },
      },
    );
    expect(code, stderr).toBe(130);
    expect(performance.now() - at).toBeLessThan(1500);
  });
});
