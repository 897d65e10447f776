import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventSchema, type RunEvent } from '../../src/contract/events.ts';
import type { Choice } from '../../src/contract/report.ts';
import { openTensorFile } from '../../src/worker/native.ts';
import { safetensors } from '../fixtures/safetensors.ts';
import { writeTokens } from '../fixtures/tiny-opt.ts';
import { bitsOf, readReportOf, sha256, succeed, tinyFolder, type Tiny } from './helpers.ts';

let tiny: Tiny;
let data: string[];
/** The run that nothing interrupted. */
let whole: string;
let count = 0;

const [sequences, seqlen] = [40, 32];

beforeAll(async () => {
  tiny = tinyFolder('auto');
  const calibration = writeTokens(tiny.file('rows.safetensors'), [sequences + 16, seqlen], 5);
  data = [...tiny.data.with(1, calibration), '--sequences', String(sequences), '--sparsity', '0.7'];
  whole = await compressed('--scheduler', 'auto');
});
afterAll(() => {
  tiny.remove();
});

async function compressed(...flags: string[]): Promise<string> {
  const out = tiny.file(`out-${++count}`);
  await succeed(['compress', tiny.model, '--out', out, ...data, ...flags], tiny);
  return out;
}

function choiceOf(out: string): Choice {
  const { choice } = readReportOf(out);
  if (!choice) throw new Error('nothing was chosen');
  return choice;
}

function eventsOf(out: string): RunEvent[] {
  const lines = readFileSync(join(out, 'events.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const { at: _at, ...event } = JSON.parse(line) as { at: string };
    return eventSchema.parse(event);
  });
}

/** Flags that name a candidate. */
function named({ scheduler, range }: Choice['candidates'][number]): string[] {
  return ['--scheduler', scheduler, ...(range === null ? [] : ['--range', String(range)])];
}

describe('auto', () => {
  test('takes the candidate with the lowest perplexity, and tells of it', () => {
    const choice = choiceOf(whole);
    expect(choice).toMatchObject({ sequences: 16, heldBack: 16, seqlen });
    expect(choice.candidates.map(({ scheduler, range }) => [scheduler, range])).toEqual([
      ['uniform', null],
      ['allocate', 0.1],
      ['allocate', 0.2],
    ]);
    const perplexities = choice.candidates.map(({ perplexity }) => perplexity);
    expect(new Set(perplexities).size).toBe(3);
    expect(perplexities[choice.chosen]).toBe(Math.min(...perplexities));
    expect(eventsOf(whole).filter(({ type }) => type === 'choice')).toEqual([{ type: 'choice', choice }]);
    expect(eventsOf(whole).filter(({ type }) => type === 'layer')).toHaveLength(18);
    expect(readdirSync(join(whole, 'state'))).not.toContain('choose');
  });

  test('measures each candidate as a run with 16 sequences whose evaluation are those held back', async () => {
    const ids = [...openTensorFile(tiny.file('rows.safetensors')).readI64('tokens')].slice(sequences * seqlen);
    const heldBack = tiny.file('held-back.safetensors');
    writeFileSync(heldBack, safetensors({ tokens: { dtype: 'I64', shape: [ids.length], data: ids } }));
    const only = ['--sequences', '16', '--evaluation-tokens', heldBack, '--scheduler', 'file', '--sparsities'];
    for (const candidate of choiceOf(whole).candidates) {
      const full = readReportOf(await compressed(...named(candidate)));
      const path = tiny.file('sparsities.json');
      const sparsities = full.layers.map(({ name, targetSparsity }) => [name, targetSparsity] as const);
      writeFileSync(path, JSON.stringify(Object.fromEntries(sparsities)));
      const out = tiny.file(`trial-${++count}`);
      const flags = data.filter((_, i) => data[i] !== '--sparsity' && data[i - 1] !== '--sparsity');
      await succeed(['compress', tiny.model, '--out', out, ...flags, ...only, path], tiny);
      const [measured] = readReportOf(out).perplexity;
      expect(measured).toMatchObject({ windows: 16, seqlen });
      expect((measured?.compressed ?? NaN) / candidate.perplexity, candidate.scheduler).toBeCloseTo(1, 9);
    }
  });

  test('compresses as a run that names what was chosen', async () => {
    const { candidates, chosen } = choiceOf(whole);
    const candidate = candidates[chosen];
    if (!candidate) throw new Error('none was chosen');
    const out = await compressed(...named(candidate));
    const shards = readdirSync(out).filter((name) => name.endsWith('.safetensors'));
    expect(shards).toHaveLength(4);
    for (const name of shards) expect(sha256(join(out, name)), name).toBe(sha256(join(whole, name)));
    const [one, other] = [readReportOf(out), readReportOf(whole)];
    expect(one.perplexity).toEqual(other.perplexity);
    expect(one.layers.map(({ targetSparsity }) => targetSparsity)).toEqual(
      other.layers.map(({ targetSparsity }) => targetSparsity),
    );
    expect(one.choice).toBeNull();
  });

  test('finds a choice kept, and tries again for another target', async () => {
    const again = await compressed('--scheduler', 'auto');
    expect(bitsOf(again)).toEqual(bitsOf(whole));
    expect(eventsOf(again).some(({ type }) => type === 'sensitivity')).toBe(false);
    const other = await compressed('--scheduler', 'auto', '--sparsity', '0.5');
    expect(choiceOf(other).candidates).not.toEqual(choiceOf(whole).candidates);
    expect(readReportOf(other).layers.map(({ sensitivity }) => sensitivity)).toEqual(
      readReportOf(whole).layers.map(({ sensitivity }) => sensitivity),
    );
  });

  test.each([
    ['magnitude', ['--method', 'magnitude']],
    ['4 bits', ['--bits', '4', '--group-size', '32']],
    ['one block of three', ['--blocks', '1']],
  ])('%s', async (_, flags) => {
    const out = await compressed('--scheduler', 'auto', ...flags);
    const { candidates, chosen } = choiceOf(out);
    const perplexities = candidates.map(({ perplexity }) => perplexity);
    expect(perplexities[chosen]).toBe(Math.min(...perplexities));
    expect(readReportOf(out).sparsity.target).toBeCloseTo(0.7, 9);
    expect(readdirSync(join(out, 'state'))).not.toContain('choose');
  });
});
