import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { recipeSchema, type Recipe } from '../../src/contract/recipe.ts';
import { bitsOf, cancelled, cpu, readReportOf, refusal, succeed, tamis, tinyFolder, type Tiny } from './helpers.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

const killAt = fileURLToPath(new URL('../fixtures/kill-at.mjs', import.meta.url));

let tiny: Tiny;
/** Of the run that fits 40 KB, and that nothing interrupted. */
let bits: ReturnType<typeof bitsOf>;
beforeAll(() => {
  tiny = tinyFolder('fit', { dtype: 'F16' });
});
afterAll(() => {
  tiny.remove();
});

const recipeOf = (folder: string): Recipe =>
  recipeSchema.parse(JSON.parse(readFileSync(join(folder, 'recipe.json'), 'utf8')));

function fitSize(size: string, out: string, ...flags: string[]): string[] {
  return ['compress', tiny.model, '--out', out, ...tiny.data, '--scheduler', 'uniform', '--fit-size', size, ...flags];
}

describe('--fit-size', () => {
  test('ends within 1 % under the size, which is that of the archive; the attempts before stay', async () => {
    const out = tiny.file('size');
    const { stderr } = await succeed(fitSize('40KB', out), tiny);
    const report = readReportOf(out);
    const bytes = report.packedBytes ?? 0;
    bits = bitsOf(out);
    expect(bytes).toBeGreaterThanOrEqual(39_600);
    expect(bytes).toBeLessThanOrEqual(40_000);
    const packed = tiny.file('size-packed');
    await succeed(['export', out, '--format', 'tamis', '--out', packed], tiny);
    expect(statSync(join(packed, 'model.tamis')).size).toBe(bytes);
    expect(existsSync(join(out, 'state/packed'))).toBe(false);
    const attempts = [1, 2, 3, 4].filter((n) => stderr.includes(`Attempt ${n} of at most 4`));
    for (const n of attempts.slice(0, -1)) expect(readReportOf(`${out}.${n}`).packedBytes).not.toBeNull();
    expect(existsSync(`${out}.${attempts.length}`)).toBe(false);
    expect(report.recipe).toEqual(recipeOf(out));
    expect(report.sparsity.target).toBeCloseTo(report.recipe.sparsity ?? NaN, 10);
  });

  test('killed in an attempt, and between two: the same command goes on to the same bits', async () => {
    const place = (name: string): { cache: string; out: string } => ({
      cache: tiny.file(`${name}-cache`),
      out: tiny.file(name),
    });
    const kill = async (at: object, { cache, out }: ReturnType<typeof place>): Promise<void> => {
      const env = { KILL_AT: JSON.stringify(at) };
      const ended = await tamis(fitSize('40KB', out), { cache, preload: [killAt], env });
      expect(ended.signal, ended.stderr).toBe('SIGKILL');
    };
    const [inside, between] = [place('inside'), place('between')];
    await kill({ moment: 'rename state/block-0001.json', when: 'before' }, inside);
    await succeed(fitSize('40KB', inside.out), inside);
    await kill({ moment: 'append finished', when: 'after' }, between);
    const { stderr } = await succeed(fitSize('40KB', between.out), between);
    expect(stderr).not.toContain('Block 1 of 3\nBlock 2 of 3');
    for (const { out } of [inside, between]) expect(bitsOf(out)).toEqual(bits);
  });

  test('cancelled: says that the same command continues it, and that does, to the same bits', async () => {
    const [cache, out] = [tiny.file('cancelled-cache'), tiny.file('cancelled')];
    const args = fitSize('40KB', out);
    const { code, stderr } = await cancelled('SIGINT', { moment: 'append layer', nth: 8, when: 'stop' }, args, cache);
    expect(code, stderr).toBe(130);
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(
      'tamis: The search was cancelled; its attempts are kept. Continue it with the same command: it goes on from the last finished block.',
    );
    expect(existsSync(join(`${out}.1`, 'state/block-0000.json'))).toBe(true);
    await succeed(args, { cache });
    expect(bitsOf(out)).toEqual(bits);
  });

  test('plan says that there may be four attempts, what they take, and the disk for an archive', async () => {
    const { stdout } = await succeed(['plan', ...fitSize('40KB', 'unused').toSpliced(2, 2).slice(1)], tiny);
    expect(stdout).toMatch(
      /^Disk: {3}\d.* for activations meanwhile, \d\S+ \w+ for its packed archive after them, at most /m,
    );
    expect(stdout).toMatch(
      /^Search: at most 4 attempts one after another, together at most \S+ s and \S+ \w+ of disk, since every attempt's folder stays; all above is of one attempt$/m,
    );
  });

  test('with quantization, the bits too: of those with which it can be reached the ones foreseen to cost least', async () => {
    const out = tiny.file('bits');
    const quantized = ['--bits', '8', '--group-size', '32', '--symmetric'];
    const { stderr } = await succeed(fitSize('26KB', out, ...quantized), tiny);
    expect(stderr).toContain('Attempt 1 of at most 4, sparsity and bits by the sensitivities');
    const { recipe, packedBytes } = readReportOf(out);
    expect(packedBytes ?? 0).toBeGreaterThanOrEqual(0.99 * 26_000);
    expect(packedBytes ?? 0).toBeLessThanOrEqual(26_000);
    const begun = existsSync(`${out}.1`) ? `${out}.1` : out;
    expect(recipeOf(begun)).toMatchObject({ sparsity: null, quantization: { bits: 8 } });
    const first = readReportOf(begun);
    const foreseen = first.target?.foreseen ?? [];
    expect(foreseen.map(({ bits }) => bits)).toEqual([2, 3, 4, 8]);
    const sparsities = foreseen.map(({ sparsity }) => sparsity);
    expect(sparsities).toEqual(sparsities.toSorted((a, b) => a - b));
    const reached = foreseen.filter(({ sparsity }) => sparsity > 0.2 && sparsity < 0.95);
    const least = reached.reduce((a, b) => (b.rise < a.rise ? b : a));
    expect(first.recipe).toMatchObject({ sparsity: least.sparsity, quantization: { bits: least.bits } });
    expect(recipe.quantization?.bits).toBeLessThanOrEqual(least.bits);

    const nearest = tiny.file('bits-nearest');
    await succeed(fitSize('26KB', nearest, ...quantized, '--method', 'magnitude'), tiny);
    expect(readReportOf(nearest).target).toBeNull();
  });

  test('says that a size cannot be reached, and why', async () => {
    const small = refusal(await tamis(fitSize('1KB', tiny.file('small')), tiny));
    expect(small).toMatch(/^A size of 0\.001 MB cannot be reached: even with 95 % pruned/);
    expect(existsSync(tiny.file('small.1'))).toBe(false);
    const tried = refusal(await tamis(fitSize('14KB', tiny.file('tried')), tiny));
    expect(tried).toMatch(/^A size of 0\.014 MB cannot be reached: even with 95 % pruned the packed model takes \d/);
    const last = existsSync(tiny.file('tried.2')) ? tiny.file('tried.2') : tiny.file('tried.1');
    expect(readReportOf(last).recipe.sparsity).toBe(0.95);
    const large = refusal(await tamis(fitSize('1GB', tiny.file('large')), tiny));
    expect(large).toMatch(/^A size of 1000\.0 MB is not reached: even with only 5 % pruned/);
  });

  test('neither OUT nor an attempt of other settings is written over', async () => {
    expect(refusal(await tamis(fitSize('40KB', tiny.file('size')), tiny))).toContain(tiny.file('size'));
    const other = refusal(await tamis(fitSize('30KB', tiny.file('tried')), tiny));
    expect(other).toBe(
      `${tiny.file('tried.1')} holds a run of other settings, and an attempt of this command is to go there. Choose another --out, or delete that folder.`,
    );
  });
});

describe('--fit-perplexity', () => {
  const fit = (perplexity: number, out: string): string[] => [
    ...['compress', demoModel, '--out', out, '--scheduler', 'uniform', '--fit-perplexity', String(perplexity)],
    ...['--blocks', '2', '--calibration', demoTexts.calibration, '--sequences', '8', '--calibration-seqlen', '128'],
    ...['--evaluation', `held-out=${demoTexts.evaluation}`, '--windows', '8', '--seqlen', '128', ...cpu],
  ];

  test('begins from the sensitivities and ends within 1 %', async () => {
    const out = tiny.file('perplexity');
    const { stderr } = await succeed(fit(110, out), tiny);
    expect(stderr).toContain('Attempt 1 of at most 4, sparsity by the sensitivities');
    const report = readReportOf(out);
    const { recipe, packedBytes } = report;
    expect(Math.abs((perplexitiesOf(report)[0]?.compressed ?? 0) / 110 - 1)).toBeLessThanOrEqual(0.01);
    expect(recipe.fit).toEqual({ kind: 'perplexity', perplexity: 110 });
    expect(packedBytes).toBeNull();
    const first = existsSync(`${out}.1`) ? `${out}.1` : out;
    expect(recipeOf(first).sparsity).toBeNull();
    const { recipe: own, sparsity, target } = readReportOf(first);
    expect(own.sparsity).toBe(target?.sparsity);
    expect(sparsity.target).toBeCloseTo(target?.sparsity ?? NaN, 10);
  });

  test('of alpha, which measures spectra beside the sensitivities', async () => {
    const out = tiny.file('alpha');
    await succeed([...fit(100, out), '--scheduler', 'alpha', '--blocks', '4'], tiny);
    expect(Math.abs((perplexitiesOf(readReportOf(out))[0]?.compressed ?? 0) / 100 - 1)).toBeLessThanOrEqual(0.01);
    const first = existsSync(`${out}.1`) ? `${out}.1` : out;
    const { value } = JSON.parse(readFileSync(join(first, 'state/estimate.json'), 'utf8')) as {
      value: { alphas: object; sensitivities: object };
    };
    expect(Object.keys(value.alphas)).toHaveLength(24);
    expect(Object.keys(value.sensitivities)).toHaveLength(24);
  });

  test('below that of the dense model it is refused once that is known', async () => {
    const out = tiny.file('impossible');
    const sentence = refusal(await tamis(fit(20, out), tiny));
    expect(sentence).toMatch(
      /^A perplexity of 20 cannot be reached: that of the dense model is already \d+\.\d\d on held-out\./,
    );
    expect(existsSync(join(`${out}.1`, 'report.json'))).toBe(false);
  });
});
