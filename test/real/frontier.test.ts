import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { paretoFront, type Outcome } from '../../src/charts/pareto.ts';
import { ParetoChart } from '../../src/charts/pareto-chart.tsx';
import { exportFiles } from '../../src/contract/export-formats.ts';
import { fixed, percent, perplexity } from '../../src/contract/format.ts';
import type { Sample } from '../../src/contract/measured.ts';
import type { Report } from '../../src/contract/report.ts';
import { packedSize } from '../../src/contract/size.ts';
import { exportRun } from '../../src/worker/export/exports.ts';
import { table } from '../bench/figures.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';
import { readReportOf, succeed } from '../integration/helpers.ts';
import { model as smollm2, reference, sample, work } from './runs.ts';

/** Where everything of this file lies, made anew each time, and its charts. */
const folder = join(work, 'frontier');
const cache = join(folder, 'cache');

interface Setting {
  /** null: not quantized. */
  readonly bits: 2 | 3 | 4 | null;
  readonly sparsity: number;
  /** By SparseGPT and OPTQ, every layer alike, in place of ADMM with measured sensitivities and dense targets. */
  readonly isPlain?: true;
}

interface Subject {
  readonly name: string;
  readonly model: string;
  readonly data: readonly string[];
  readonly settings: readonly Setting[];
}

/** Those of each number of bits; of some, by SparseGPT and OPTQ as well. */
function settingsOf(...sparsities: readonly (readonly [bits: Setting['bits'], of: readonly number[]])[]): Setting[] {
  const all = sparsities.flatMap(([bits, of]) => of.map((sparsity): Setting => ({ bits, sparsity })));
  const plain = all.filter(({ bits, sparsity }) => (bits === 4 || bits === 3) && (sparsity === 0 || sparsity === 0.7));
  return [...all, ...plain.map((setting): Setting => ({ ...setting, isPlain: true }))];
}

const demo: Subject = {
  name: 'demo',
  model: demoModel,
  data: [
    ...['--calibration', demoTexts.calibration, '--sequences', '128', '--calibration-seqlen', '256'],
    ...['--evaluation', demoTexts.evaluation, '--windows', '256', '--seqlen', '256'],
  ],
  settings: settingsOf(
    [2, [0, 0.2, 0.4, 0.5]],
    [3, [0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75]],
    [4, [0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8]],
    [null, [0.7, 0.75, 0.8]],
  ),
};

const real: Subject = {
  name: 'SmolLM2',
  model: smollm2,
  data: [
    ...(existsSync(reference)
      ? ['--calibration-tokens', join(reference, 'calibration.safetensors')]
      : ['--calibration', demoTexts.calibration]),
    ...['--sequences', String(sample.sequences), '--calibration-seqlen', String(sample.seqlen)],
    ...(existsSync(reference)
      ? ['--evaluation-tokens', join(reference, 'eval.safetensors')]
      : ['--evaluation', demoTexts.evaluation]),
    ...['--windows', String(sample.windows), '--seqlen', String(sample.seqlen)],
  ],
  settings: settingsOf([2, [0]], [3, [0, 0.3, 0.5, 0.6, 0.7]], [4, [0, 0.3, 0.5, 0.6, 0.7]], [null, [0.7]]),
};

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});

afterAll(() => {
  rmSync(cache, { recursive: true, force: true });
});

interface Point extends Setting {
  readonly name: string;
  readonly perplexity: number;
  readonly dense: number;
  readonly sample: Sample;
  readonly archiveBytes: number;
  /** Of the archive's layers. */
  readonly archiveBits: number;
  /** Of the layout with a bit for each weight that says whether it is kept, nothing coded. */
  readonly plainBits: number;
}

const nameOf = ({ bits, sparsity, isPlain }: Setting): string =>
  [
    `${percent(sparsity, 0)} %`,
    bits === null ? 'not quantized' : `${bits} bits`,
    ...(isPlain ? ['SparseGPT and OPTQ, uniform'] : []),
  ].join(', ');

function flagsOf({ bits, sparsity, isPlain }: Setting): string[] {
  // Codes around zero waste one of four; of more, fewer.
  const quantizing = bits === null ? [] : ['--bits', String(bits), ...(bits === 2 ? [] : ['--symmetric'])];
  const scheduler = sparsity === 0 || isPlain ? ['uniform'] : ['allocate', '--range', '0.3'];
  const method = isPlain ? ['--method', 'sparsegpt'] : ['--method', 'admm', '--targets', 'dense'];
  return ['--sparsity', String(sparsity), '--scheduler', ...scheduler, ...method, ...quantizing];
}

async function pointOf({ name, model, data }: Subject, setting: Setting): Promise<Point> {
  const out = join(folder, `${name}-${setting.bits ?? 'none'}-${setting.sparsity}${setting.isPlain ? '-plain' : ''}`);
  await succeed(['compress', model, '--out', out, '--device', 'cpu', ...data, ...flagsOf(setting)], { cache });
  const report: Report = readReportOf(out);
  const { signal } = new AbortController();
  const packed = `${out}.packed`;
  const { bitsPerWeight } = await exportRun({
    run: out,
    format: 'tamis',
    out: packed,
    check: false,
    signal,
    onProgress: () => undefined,
  });
  const archiveBytes = statSync(join(packed, exportFiles.tamis)).size;
  for (const done of [out, packed]) rmSync(done, { recursive: true });
  const [measured] = perplexitiesOf(report);
  if (measured === undefined) throw new Error('nothing was measured');
  const { dataset, seqlen, windows, dense, compressed } = measured;
  return {
    ...setting,
    name: nameOf(setting),
    perplexity: compressed,
    dense,
    sample: { dataset, seqlen, windows },
    archiveBytes,
    archiveBits: bitsPerWeight,
    plainBits: packedSize(report)?.bitsPerWeight ?? NaN,
  };
}

/** The best of at most so many bits a weight; null where nothing is so small. */
function bestWithin(points: readonly Point[], bits: number, of: 'archiveBits' | 'plainBits'): Point | null {
  const fitting = points.filter((point) => point[of] <= bits);
  return fitting.reduce<Point | null>(
    (best, point) => (best && best.perplexity <= point.perplexity ? best : point),
    null,
  );
}

const budgets = [1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.1, 2.2, 2.3, 2.4, 2.5, 2.75, 3, 3.25, 3.5, 4, 4.5];

describe.each([demo, real])('the frontier of $name', (subject) => {
  test('size against perplexity', async () => {
    if (!existsSync(subject.model)) {
      console.log(
        `The frontier of ${subject.name} is left out: ${subject.model} is not here; test/real/smollm2.py makes it.`,
      );
      return;
    }
    const points: Point[] = [];
    for (const setting of subject.settings) {
      const point = await pointOf(subject, setting);
      console.log(JSON.stringify(point));
      points.push(point);
    }
    const [first] = points;
    if (first === undefined) throw new Error('no setting');
    const outcomes = points.map((point) => ({
      ...point,
      id: point.name,
      modelName: point.isPlain ? 'SparseGPT and OPTQ' : point.bits === null ? 'not quantized' : `${point.bits} bits`,
      nonZeroBytes: point.archiveBytes,
      value: point.perplexity,
    })) satisfies Outcome[];
    const front = new Set(paretoFront(outcomes, 'perplexity').map(({ name }) => name));
    const row = (point: Point): (string | number)[] => [
      point.name,
      fixed(point.archiveBits, 2),
      fixed(point.plainBits, 2),
      perplexity(point.perplexity),
      front.has(point.name) ? '*' : '',
    ];
    const head = ['run', 'archive, bits a weight', 'not coded', 'perplexity', 'on the frontier'];
    const sorted = points.toSorted((a, b) => a.archiveBits - b.archiveBits);
    console.log(`${subject.name}, dense ${perplexity(first.dense)}\n${table(head, sorted.map(row))}`);
    const within = (bits: number, of: 'archiveBits' | 'plainBits'): string => {
      const best = bestWithin(points, bits, of);
      return best === null ? '' : `${best.name}: ${perplexity(best.perplexity)}`;
    };
    const rows = budgets.map((bits) => [bits, within(bits, 'archiveBits'), within(bits, 'plainBits')]);
    console.log(table(['bits a weight, at most', 'archive', 'not coded'], rows));
    const chart = createElement(ParetoChart, {
      measure: 'perplexity',
      sample: first.sample,
      points: outcomes,
      selected: new Set<string>(),
      locale: 'en',
    });
    writeFileSync(join(folder, `${subject.name}.svg`), standalone(renderToStaticMarkup(chart)));
    // What the schedule, the solver and the codes chosen anew gain must be seen at every size that both have.
    for (const plain of points.filter(({ isPlain }) => isPlain)) {
      const ours = points.find(
        ({ bits, sparsity, isPlain }) => !isPlain && bits === plain.bits && sparsity === plain.sparsity,
      );
      expect(ours?.perplexity, plain.name).toBeLessThan(plain.perplexity);
    }
  });
});

/** A chart as a file of its own, legible on light and dark pages. */
function standalone(svg: string): string {
  return svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" color="#6b7280" ');
}
