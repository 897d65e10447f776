import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { planSchema } from '../../src/contract/plan.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { cpu, readReportOf, refusal, sha256, succeed, tamis, tinyFolder, type Tiny } from './helpers.ts';

let tiny: Tiny;
beforeAll(() => {
  // fc2 reads 3072 columns: its Hessian takes 36 MiB as a triangle in float64, its factor as much as a square in float32.
  tiny = tinyFolder('memory', { blocks: 2, ffn: 3072 });
});
afterAll(() => {
  tiny.remove();
});

const layer = 'model.decoder.layers.0.fc2';

/** 256 tokens a run of a block, so that it is small beside the Hessians. */
const few = ['--sequences', '8', '--windows', '8', '--sparsity', '0.5', '--scheduler', 'uniform'];

function compressInto(out: string, ...flags: string[]): string[] {
  return ['compress', tiny.model, '--out', out, ...tiny.data, ...few, ...flags];
}

test('a layer that does not fit is named before the run starts, with what it needs', async () => {
  const out = tiny.file('refused');
  const sentence = refusal(await tamis(compressInto(out, '--memory', '220MiB'), tiny));
  expect(sentence).toMatch(
    new RegExp(
      `^The Hessian and factor of ${layer} take 72 MiB: with what else is held then, the stage compress needs \\d+ MiB, and the memory budget is 220 MiB\\. Give it more`,
    ),
  );
  expect(Number(/needs (\d+) MiB/.exec(sentence)?.[1])).toBeGreaterThan(220);
  expect(existsSync(out)).toBe(false);
});

test('plan says the same, under its numbers, with exit code 1', async () => {
  const args = compressInto('unused').toSpliced(2, 2).with(0, 'plan');
  const refused = await tamis([...args, '--memory', '220MiB'], tiny);
  expect(refusal(refused)).toContain(layer);
  expect(refused.stdout).toMatch(/^Memory: .* in compress, .* the budget is 220\.0 MiB/m);
  const json = planSchema.parse(JSON.parse((await tamis([...args, '--memory', '220MiB', '--json'], tiny)).stdout));
  expect(json.refusal).toMatchObject({ code: 'memory.layer', params: { layer, own: 72, budget: 220 } });
  const fitting = planSchema.parse(JSON.parse((await succeed([...args, '--memory', '8GiB', '--json'], tiny)).stdout));
  expect(fitting.refusal).toBeNull();
  expect(fitting.memory.budgetBytes).toBe(8 * 2 ** 30);
});

test('whatever the budget, the bits are the same, and another one does not hinder resuming', async () => {
  const [tight, ample] = [tiny.file('tight'), tiny.file('ample')];
  await succeed(compressInto(tight, '--memory', '1GiB'), tiny);
  await succeed(compressInto(ample, '--memory', '16GiB'), { cache: `${tiny.cache}-other` });
  const weights = readdirSync(tight).filter((name) => name.endsWith('.safetensors'));
  expect(weights).toHaveLength(3);
  for (const name of weights) expect(sha256(join(ample, name))).toBe(sha256(join(tight, name)));
  const [one, other] = [readReportOf(tight), readReportOf(ample)];
  expect(other.measured).toEqual(one.measured);
  expect(other.fingerprint).toBe(one.fingerprint);

  expect(refusal(await tamis(['resume', tight, '--memory', '220MiB'], tiny))).toContain(layer);
  await succeed(['resume', tight, '--memory', '2GiB'], tiny);
  expect(readReportOf(tight).fingerprint).toBe(one.fingerprint);
});

test.each(['allocate', 'auto'])(
  'what %s measures stays within the budget that its plan asks for',
  async (scheduler) => {
    const texts = ['--calibration', demoTexts.calibration, '--evaluation', demoTexts.evaluation];
    const sizes = ['--sequences', '32', '--calibration-seqlen', '256', '--windows', '8', '--seqlen', '256'];
    const recipe = ['--scheduler', scheduler, '--blocks', '2', ...texts, ...sizes, ...cpu];
    const { stdout } = await succeed(['plan', demoModel, ...recipe, '--json'], tiny);
    const { memory } = planSchema.parse(JSON.parse(stdout));
    const budget = Math.ceil(memory.peakBytes);
    const out = tiny.file(scheduler);
    await succeed(['compress', demoModel, '--out', out, ...recipe, '--memory', `${budget}B`], tiny);
    // As right as a plan of memory has to be.
    expect(readReportOf(out).peakMemoryBytes).toBeLessThan(1.15 * budget);
    const tooLittle = refusal(await tamis(['plan', demoModel, ...recipe, '--memory', `${budget - 2 ** 20}B`], tiny));
    expect(tooLittle).toContain('the memory budget is');
  },
);

test('what dense targets hold is what their plan says', async () => {
  const peakOf = async (targets: string): Promise<{ planned: number; held: number }> => {
    const out = tiny.file(targets);
    const args = compressInto(out, '--targets', targets);
    const { stdout } = await succeed([...args.toSpliced(2, 2).with(0, 'plan'), '--json'], tiny);
    await succeed(args, tiny);
    const planned = planSchema.parse(JSON.parse(stdout)).memory.peakBytes;
    return { planned, held: readReportOf(out).peakMemoryBytes };
  };
  const [own, dense] = [await peakOf('layer'), await peakOf('dense')];
  // What fc2's output is added to is as narrow as the model: no square of its inputs, 144 MiB in float64 of two halves.
  expect(dense.planned).toBeGreaterThan(own.planned);
  expect(dense.planned - own.planned).toBeLessThan(144 * 2 ** 20);
  expect(dense.held).toBeLessThan(1.15 * dense.planned);
});

test('what is no size is refused', async () => {
  const { code, stderr } = await tamis(compressInto(tiny.file('none'), '--memory', '16 elephants'), tiny);
  expect(code).toBe(2);
  expect(stderr).toContain('Give it as a size, e.g. 16GiB or 800MB.');
});
