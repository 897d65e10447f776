import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventSchema, type RunEvent } from '../../src/contract/events.ts';
import type { Choice } from '../../src/contract/report.ts';
import { openTensorFile } from '../../src/worker/native.ts';
import { learnNextToken, writeCounting } from '../fixtures/learnt-opt.ts';
import { safetensors } from '../fixtures/safetensors.ts';
import { bitsOf, killed, readReportOf, sha256, succeed, tinyFolder, type Tiny } from './helpers.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

let tiny: Tiny;
let data: string[];
/** The run that nothing interrupted. */
let whole: string;
let count = 0;

const [sequences, seqlen] = [260, 32];
/** Those of 8192 tokens. */
const tried = 256;

beforeAll(async () => {
  tiny = tinyFolder('auto', { change: learnNextToken });
  const calibration = writeCounting(tiny.file('rows.safetensors'), [sequences + 16, seqlen], 5);
  const evaluation = writeCounting(tiny.file('text.safetensors'), [64, seqlen], 6);
  data = [...tiny.data.with(1, calibration).with(3, evaluation), '--sequences', String(sequences), '--sparsity', '0.8'];
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
function named({ scheduler, range, targets }: Choice['candidates'][number]): string[] {
  return ['--scheduler', scheduler, ...(range === null ? [] : ['--range', String(range)]), '--targets', targets];
}

/** The place of the schedule that is to be taken. */
function lowestOfClear({ candidates }: Choice): number {
  let place = 0;
  candidates.slice(0, 3).forEach((candidate, i) => {
    if (isClear(candidate) && (candidate.perplexity ?? NaN) < (candidates[place]?.perplexity ?? NaN)) place = i;
  });
  return place;
}

/** Whether it differs from uniform by more than chance. */
function isClear({ difference }: Choice['candidates'][number]): boolean {
  return difference !== null && -difference.mean / difference.standardError > 2.947;
}

/** The place of the candidate that is to be taken: of that schedule, with dense targets where these are clearly better than uniform and lower. */
function toBeTaken(choice: Choice): number {
  const taken = lowestOfClear(choice);
  const [dense, without] = [choice.candidates[3], choice.candidates[taken]];
  return dense && isClear(dense) && (dense.perplexity ?? NaN) < (without?.perplexity ?? NaN) ? 3 : taken;
}

describe('auto', () => {
  test('takes the candidate with the lowest perplexity of those clearly better than uniform, and tells of it', () => {
    const choice = choiceOf(whole);
    expect(choice).toMatchObject({ sequences: tried, heldBack: 16, seqlen, margin: 2.947 });
    const first = [
      ['uniform', null, 'layer'],
      ['allocate', 0.1, 'layer'],
      ['allocate', 0.3, 'layer'],
    ];
    const [scheduler, range] = first[lowestOfClear(choice)] ?? [];
    expect(choice.candidates.map((each) => [each.scheduler, each.range, each.targets])).toEqual([
      ...first,
      [scheduler, range, 'dense'],
    ]);
    expect(new Set(choice.candidates.map(({ perplexity }) => perplexity)).size).toBe(4);
    expect(choice.chosen).toBe(toBeTaken(choice));
    expect(choice.chosen).not.toBe(0);
    expect(eventsOf(whole).filter(({ type }) => type === 'choice')).toEqual([{ type: 'choice', choice }]);
    expect(eventsOf(whole).filter(({ type }) => type === 'layer')).toHaveLength(18);
    expect(readdirSync(join(whole, 'state'))).not.toContain('choose');
  });

  test('measures each candidate as a run with as many sequences that is evaluated on each of those held back', async () => {
    const ids = [...openTensorFile(tiny.file('rows.safetensors')).readI64('tokens')].slice(sequences * seqlen);
    const datasets = Array.from({ length: 16 }, (_, i) => {
      const path = tiny.file(`held-back-${i}.safetensors`);
      const one = ids.slice(i * seqlen, (i + 1) * seqlen);
      writeFileSync(path, safetensors({ tokens: { dtype: 'I64', shape: [seqlen], data: one } }));
      return { name: String(i), corpus: { kind: 'tokens', path } };
    });
    const recipe = tiny.file('held-back.json');
    writeFileSync(recipe, JSON.stringify({ evaluation: { datasets } }));
    const left = ['--sparsity', '--evaluation-tokens', '--sequences'];
    const flags = data.filter((flag, i) => !left.includes(flag) && !left.includes(data[i - 1] ?? ''));
    const losses: number[][] = [];
    for (const candidate of choiceOf(whole).candidates) {
      const full = readReportOf(await compressed(...named(candidate)));
      const path = tiny.file('sparsities.json');
      const sparsities = full.layers.map(({ name, targetSparsity }) => [name, targetSparsity] as const);
      writeFileSync(path, JSON.stringify(Object.fromEntries(sparsities)));
      const out = tiny.file(`trial-${++count}`);
      const targets = ['--targets', candidate.targets];
      const only = [
        '--recipe',
        recipe,
        '--sequences',
        String(tried),
        '--scheduler',
        'file',
        '--sparsities',
        path,
        ...targets,
      ];
      await succeed(['compress', tiny.model, '--out', out, ...flags, ...only], tiny);
      losses.push(perplexitiesOf(readReportOf(out)).map((measured) => Math.log(measured.compressed)));
    }
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;
    choiceOf(whole).candidates.forEach(({ perplexity, difference }, i) => {
      expect((perplexity ?? NaN) / Math.exp(mean(losses[i] ?? [])), String(i)).toBeCloseTo(1, 9);
      if (i === 0) {
        expect(difference).toBeNull();
        return;
      }
      const paired = (losses[i] ?? []).map((loss, sequence) => loss - (losses[0]?.[sequence] ?? NaN));
      expect(paired).toHaveLength(16);
      const variance = mean(paired.map((each) => each ** 2)) - mean(paired) ** 2;
      expect(difference?.mean).toBeCloseTo(mean(paired), 9);
      expect(difference?.standardError).toBeCloseTo(Math.sqrt(variance / 15), 9);
    });
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
    expect(one.measured).toEqual(other.measured);
    expect(one.layers.map(({ targetSparsity }) => targetSparsity)).toEqual(
      other.layers.map(({ targetSparsity }) => targetSparsity),
    );
    expect(one.choice).toBeNull();
  });

  test('finds a choice kept, and tries again for another target', async () => {
    const again = await compressed('--scheduler', 'auto');
    expect(bitsOf(again)).toEqual(bitsOf(whole));
    expect(eventsOf(again).some(({ type }) => type === 'sensitivity')).toBe(false);
    const other = await compressed('--scheduler', 'auto', '--sparsity', '0.7');
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
    const choice = choiceOf(out);
    expect(choice.candidates).toHaveLength(flags.includes('magnitude') ? 3 : 4);
    expect(choice.chosen).toBe(toBeTaken(choice));
    expect(readReportOf(out).sparsity.target).toBeCloseTo(0.8, 9);
    expect(readdirSync(join(out, 'state'))).not.toContain('choose');
  });
});

describe('a run that was killed while it measured or tried ends with the bits of one that was not', () => {
  test.each([
    ['after', 'write state/sensitivity.f32', 20],
    ['after', 'open state/held-back.f32', 1],
    ['after', 'write state/activations-0001.f32', 1],
    ['before', 'open state/held-back.f32', 3],
    ['before', 'rename state/choose.json', 1],
    ['torn', 'append choice', 1],
  ] as const)('%s %s %d', async (when, moment, nth) => {
    const folder = mkdtempSync(tiny.file('run-'));
    const [out, cache] = [join(folder, 'out'), join(folder, 'cache')];
    await killed(['compress', tiny.model, '--out', out, ...data, '--scheduler', 'auto'], cache, { when, moment, nth });
    await succeed(['resume', out], { cache });
    expect(bitsOf(out)).toEqual(bitsOf(whole));
    expect(eventsOf(out).at(-1)?.type).toBe('finished');
    const left = readdirSync(join(out, 'state'));
    expect(left.filter((name) => !name.endsWith('.json') && name !== 'lock')).toEqual([]);
  });
});
