import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { bytes, duration, fixed, percent, perplexity } from '../../src/contract/format.ts';
import { datasetResultSchema } from '../../src/contract/measured.ts';
import type { Report } from '../../src/contract/report.ts';
import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import { openTensorFile } from '../../src/worker/native.ts';
import { table } from '../bench/figures.ts';
import { client } from '../clients/program.ts';
import { demoTexts, namesIn } from '../fixtures/demo-texts.ts';
import { safetensors } from '../fixtures/safetensors.ts';
import { readReportOf, succeed } from '../integration/helpers.ts';
import {
  DENSE_WITHIN,
  flagsOf,
  model,
  reference,
  runNames,
  runs,
  sample,
  wikitext,
  work,
  type RealRun,
  type RunName,
} from './runs.ts';
import { perplexitiesOf, perplexityOf } from '../fixtures/measured.ts';

const cache = join(work, 'cache');
const hasReference = existsSync(reference);
const noReference = 'the reference numbers, ../shared/reference/smollm2, are not here';

/** Flags that name what is calibrated and evaluated on: the reference's token ids, else the demo's texts. */
let data: string[];
/** Token ids of all windows. */
let evaluated: number[];
let expected: { dense: number; runs: Record<string, { compressed: number } | undefined> };

beforeAll(async () => {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  if (!hasReference) console.log(`The runs use the texts of the demo: ${noReference}.`);
  else expected = JSON.parse(readFileSync(join(reference, 'results.json'), 'utf8')) as typeof expected;
  const calibration = hasReference
    ? ['--calibration-tokens', join(reference, 'calibration.safetensors')]
    : ['--calibration', demoTexts.calibration];
  const file = join(work, 'evaluation.safetensors');
  evaluated = hasReference
    ? [...openTensorFile(join(reference, 'eval.safetensors')).readI64('tokens')]
    : await demoIds();
  evaluated = evaluated.slice(0, sample.seqlen * sample.windows);
  writeFileSync(file, safetensors({ tokens: { dtype: 'I64', shape: [evaluated.length], data: evaluated } }));
  data = [
    ...calibration,
    ...['--sequences', String(sample.sequences), '--calibration-seqlen', String(sample.seqlen)],
    ...['--evaluation-tokens', file, '--seqlen', String(sample.seqlen), '--device', 'cpu'],
  ];
});

async function demoIds(): Promise<number[]> {
  const texts = namesIn(demoTexts.evaluation).map((name) => readFileSync(join(demoTexts.evaluation, name), 'utf8'));
  return [...(await openTokenizer(model)).encode(texts.join('\n\n'))];
}

const runFolder = (name: string): string => join(work, 'runs', name);

/** How far two numbers are apart, as a share of the second. */
const apart = (value: number, from: number): number => Math.abs(value / from - 1);

/** The one dataset's. */
function only<T>([first, ...others]: readonly T[]): T {
  if (first === undefined || others.length > 0) throw new Error('not one dataset');
  return first;
}

describe('compressed', () => {
  test.each(runNames)('%s', async (name) => {
    mkdirSync(join(work, 'runs'), { recursive: true });
    await succeed(['compress', model, '--out', runFolder(name), ...flagsOf(name), ...data], { cache });
    const report = readReportOf(runFolder(name));
    const { sparsity, layers, warnings } = report;
    const measured = perplexitiesOf(report);
    const { dense, compressed, windows, seqlen } = only(measured);
    console.log(`${name}: dense ${dense}, compressed ${compressed}`);
    expect({ windows, seqlen }).toEqual({ windows: sample.windows, seqlen: sample.seqlen });
    // The reference's file has no more sequences than the runs are calibrated on.
    const expectedCodes = ['quantization.uneven-groups', 'calibration.nothing-held-back'];
    expect(warnings.filter(({ code }) => !expectedCodes.includes(code))).toEqual([]);
    const { sparsity: target, bits, within }: RealRun = runs[name];
    for (const layer of layers) expect(layer.bits, layer.name).toBe(bits ?? null);
    // Rounding makes zeros of its own.
    if (bits === undefined) expect(sparsity.actual).toBeCloseTo(target, 3);
    else expect(sparsity.actual).toBeGreaterThan(target);
    expect(compressed).toBeGreaterThan(dense);
    if (!hasReference) return;
    expect(apart(dense, expected.dense), `dense: ${dense}`).toBeLessThan(DENSE_WITHIN);
    if (within === undefined) return;
    expect(apart(compressed, expected.runs[name]?.compressed ?? NaN), `${compressed}`).toBeLessThan(within);
  });
});

describe('auto is not worse than uniform', () => {
  const compressed = (name: RunName): number => only(perplexitiesOf(readReportOf(runFolder(name)))).compressed;
  test.each([50, 60, 70, 80] as const)('at %d %%', (percentage) => {
    expect(compressed(`auto-${percentage}`)).toBeLessThanOrEqual(compressed(`uniform-${percentage}`));
  });
});

describe('transformers measures the same perplexity in the folder', () => {
  test.each(['dense', 'uniform-70', 'int4'] as const)('%s', async (name) => {
    const file = join(work, 'sample.json');
    writeFileSync(file, JSON.stringify({ ids: evaluated, seqlen: sample.seqlen, prompt: 16, generate: 1 }));
    const folder = name === 'dense' ? model : runFolder(name);
    const form = z.object({ perplexity: z.number(), windows: z.literal(sample.windows) });
    const theirs = await client('transformers_client.py', [folder, file, join(work, 'transformers.f32')], form);
    const { dense, compressed } = only(perplexitiesOf(readReportOf(runFolder(name === 'dense' ? 'uniform-70' : name))));
    const measured = name === 'dense' ? dense : compressed;
    console.log(`${name}: transformers ${theirs.perplexity}, ours ${measured}`);
    expect(apart(measured, theirs.perplexity)).toBeLessThan(DENSE_WITHIN);
  });
});

describe.skipIf(!existsSync(wikitext))('the whole of WikiText-2', () => {
  test('it begins with the token ids of the reference', async ({ skip }) => {
    if (!hasReference) skip(noReference);
    const ids = (await openTokenizer(model)).encode(readFileSync(wikitext, 'utf8'));
    expect([...ids.subarray(0, evaluated.length)]).toEqual(evaluated);
  });

  test.each(['dense', 'uniform-70', 'relative-by-type-70', 'int4'] as const)('%s', async (name) => {
    const folder = name === 'dense' ? model : runFolder(name);
    const flags = ['--evaluation', wikitext, '--seqlen', String(sample.seqlen), '--device', 'cpu', '--json'];
    const { stdout } = await succeed(['eval', folder, ...flags], { cache });
    const form = z.object({ results: z.array(datasetResultSchema) });
    const result = only(form.parse(JSON.parse(stdout)).results);
    const [whole, windows] = [perplexityOf(result), result.windows];
    console.log(`the whole of WikiText-2, ${name}: ${whole} over ${windows} windows`);
    expect(windows).toBe(297);
  });
});

afterAll(() => {
  const finished = runNames.filter((name) => existsSync(join(runFolder(name), 'report.json')));
  const reports = finished.map((name) => ({ name, report: readReportOf(runFolder(name)) }));
  console.log(`${resultsTable(reports)}\n\n${costsTable(reports)}`);
});

type Named = readonly { name: string; report: Report }[];

/** As in docs/results.md. */
function resultsTable(reports: Named): string {
  const rows = reports.map(({ name, report }) => {
    const { compressed } = only(perplexitiesOf(report));
    const theirs = hasReference ? expected.runs[name]?.compressed : undefined;
    return [
      name,
      `${percent(report.sparsity.actual, 2)} %`,
      perplexity(compressed),
      theirs === undefined ? '' : perplexity(theirs),
      theirs === undefined ? '' : `${percent(compressed / theirs - 1, 2)} %`,
    ];
  });
  return table(['run', 'zeros', 'perplexity', 'reference', 'difference'], rows);
}

const stages = [
  ...['evaluate-dense', 'estimate', 'choose', 'forward', 'gram', 'factor', 'solve', 'propagate'],
  'evaluate-compressed',
];

/** Seconds of each stage and peak memory, as in docs/performance.md. What an earlier run has left in the cache takes none. */
function costsTable(reports: Named): string {
  const rows = reports.map(({ name, report: { startedAt, finishedAt, seconds, peakMemoryBytes } }) => [
    name,
    ...stages.map((stage) => (seconds[stage] ? fixed(seconds[stage], 1) : '')),
    duration((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000),
    bytes(peakMemoryBytes),
  ]);
  return table(['run', ...stages, 'whole run', 'peak memory'], rows);
}
