import { describe, expect, test } from 'vitest';

import { reportSchema, type Report } from '../../src/contract/report.ts';
import { compareTable } from '../../src/contract/compare.ts';
import { quantizationSchema } from '../../src/contract/recipe.ts';
import { layersCsv } from '../../src/worker/report/csv.ts';
import { renderHtml } from '../../src/worker/report/html.tsx';
import { modelCard } from '../../src/worker/report/model-card.ts';
import { admmReport, autoReport, llamaTypes, nmReport, sampleReport } from '../fixtures/report.ts';
import { perplexitiesOf } from '../fixtures/measured.ts';

const report = sampleReport();
const html = renderHtml(report);
const hostileName = `<script>alert("1")</script>'|\`x\`\n=cmd`;
const hostile: Report = {
  ...report,
  model: { ...report.model, name: hostileName, family: hostileName, dtype: hostileName },
  recipe: {
    ...report.recipe,
    model: `/home/somebody/${hostileName}`,
    scheduler: { kind: 'file', path: `/home/somebody/${hostileName}` },
  },
  measured: report.measured.map((entry) => ({ ...entry, dataset: hostileName })),
  layers: report.layers.map((layer, i) => ({
    ...layer,
    name: `=${i},"${hostileName}"`,
    type: `${hostileName}${i % 6}`,
  })),
  warnings: [
    { code: hostileName, params: { [hostileName]: hostileName } },
    { code: 'internal', params: { detail: hostileName } },
  ],
  seconds: { [hostileName]: 1 },
};

/** Quantized at 4 bits but for `fc2`, at 8, and the first block, not at all. */
const quantized: Report = {
  ...report,
  recipe: {
    ...report.recipe,
    quantization: quantizationSchema.parse({
      bits: 4,
      symmetric: true,
      exceptions: [
        { layers: '*.fc2', bits: 8 },
        { layers: '*.layers.0.*', bits: null },
      ],
    }),
  },
  layers: report.layers.map((layer) => ({ ...layer, bits: layer.block === 0 ? null : layer.type === 'fc2' ? 8 : 4 })),
};

/** Text as a reader sees it. */
function readable(markup: string): string {
  const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#x27': "'", amp: '&' };
  return markup.replace(/<[^>]*>/g, '').replace(/&(#?\w+);/g, (_, name: string) => entities[name] ?? `&${name};`);
}

/** The cells of a table's body, row by row. */
function table(page: string, id: string): string[][] {
  const body = new RegExp(`<table id="${id}">.*?<tbody>(.*?)</tbody>`, 's').exec(page)?.[1];
  if (body === undefined) throw new Error(`no table ${id}`);
  return [...body.matchAll(/<tr>(.*?)<\/tr>/gs)].map((row) =>
    [...(row[1] ?? '').matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map((cell) => readable(cell[1] ?? '')),
  );
}

/** A written number; minus signs and spaces between thousands are the page's. */
function numberOf(text = ''): number {
  const power = /^([\d.]+)·10⁻([⁰¹²³⁴⁵⁶⁷⁸⁹])$/.exec(text);
  if (power) return Number(`${power[1]}e-${'⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(power[2] ?? '')}`);
  const plain = text.replace('−', '-').replace(/\u202f|[ %×]/g, '');
  if (!/^-?\d+(\.\d+)?$/.test(plain)) throw new Error(`not a number: ${text}`);
  return Number(plain);
}

/** Asserts that every cell of a block-by-type table says what `value` gives for its layer, to `digits` decimals. */
function expectLayers(
  page: string,
  from: Report,
  id: string,
  value: (layer: Report['layers'][number]) => (string | number)[],
  digits: number,
): void {
  const rows = table(page, id);
  const types = [...new Set(from.layers.map((layer) => layer.type))];
  expect(rows).toHaveLength(from.model.blocks);
  for (const layer of from.layers) {
    const row = rows[layer.block];
    expect(row?.[0]).toBe(String(layer.block));
    const written = row?.[types.indexOf(layer.type) + 1]?.split(/ → | /) ?? [];
    const expected = value(layer);
    expect(written).toHaveLength(expected.length);
    expected.forEach((part, i) => {
      if (typeof part === 'string') expect(written[i]).toBe(part);
      else expect(Math.abs(numberOf(written[i]) - part)).toBeLessThanOrEqual(0.5000001 * 10 ** -digits);
    });
  }
}

describe('html', () => {
  test('perplexities stand beside their seqlen, with the ratio', () => {
    const rows = table(html, 'perplexity');
    expect(rows).toHaveLength(2);
    perplexitiesOf(report).forEach((entry, i) => {
      const [denseByte, compressedByte] = i === 0 ? [1.43, 1.482] : [null, null];
      const [dataset, seqlen, windows, tokens, dense, compressed, ratio, denseBits, bits] = rows[i] ?? [];
      expect(dataset).toBe(entry.dataset);
      expect([seqlen, windows, tokens].map(numberOf)).toEqual([entry.seqlen, entry.windows, entry.tokens]);
      expect(numberOf(dense)).toBeCloseTo(entry.dense, 2);
      expect(numberOf(compressed)).toBeCloseTo(entry.compressed, 2);
      expect(numberOf(ratio)).toBeCloseTo(entry.compressed / entry.dense, 3);
      if (denseByte === null) expect([denseBits, bits]).toEqual(['–', '–']);
      else expect([numberOf(denseBits), numberOf(bits)]).toEqual([denseByte, compressedByte]);
    });
  });

  test.each([
    ['8 blocks of 6', report],
    ['96 blocks of 7', sampleReport(96, llamaTypes)],
  ])('the table of each chart has the number of every layer: %s', (_, from) => {
    const page = renderHtml(from);
    expectLayers(page, from, 'sparsity', (layer) => [100 * layer.sparsity], 2);
    expectLayers(page, from, 'scheduled', (layer) => [100 * layer.targetSparsity, 100 * layer.sparsity], 2);
    expectLayers(page, from, 'estimates', (layer) => [Math.log10(layer.estimate ?? NaN), `(${layer.group})`], 3);
    expectLayers(page, from, 'errors', (layer) => [layer.error ?? NaN], 4);
  });

  test('centroids, stages and their sum', () => {
    expect(table(html, 'centroids').map((row) => row.map(numberOf))).toEqual(
      report.centroids.map((c) => [
        c.group,
        Number(c.log10.toFixed(3)),
        Number((100 * c.sparsity).toFixed(2)),
        c.layers,
      ]),
    );
    expect(table(html, 'stages')).toEqual(
      Object.entries(report.seconds).map(([stage, seconds]) => [stage, seconds.toFixed(2)]),
    );
    expect(readable(/<tfoot>.*?<\/tfoot>/s.exec(html)?.[0] ?? '')).toBe('Total45.09');
  });

  test('the summary names sizes, time, memory and device', () => {
    const terms = Object.fromEntries<string>(
      [...html.matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd>/gs)].map(([, term = '', text]) => [term, readable(text ?? '')]),
    );
    expect(terms).toMatchObject({
      Parameters: '8\u202f523\u202f008',
      Blocks: '8 / 8',
      'Sparsity, actual': '70.00 %',
      'Weight files, compressed': '16.3 MiB',
      Time: '45.1 s',
      'Peak memory': '393.8 MiB',
      Device: 'cpu',
      Scheduler: 'kmeans: groups: 3, density proportional to estimate^0.2, every sparsity from 0 to 95 %',
      Calibration: '128 sequences of 256 tokens from sotu/before-2002, moby-dick/to-110',
      Fingerprint: report.fingerprint,
    });
  });

  test('the recipe on the page is the recipe, and the command names it', () => {
    const [command, recipe] = [...html.matchAll(/<pre>(.*?)<\/pre>/gs)].map((match) => readable(match[1] ?? ''));
    expect(JSON.parse(recipe ?? '')).toEqual(report.recipe);
    expect(command).toBe('tamis compress resources/demo-model --recipe recipe.json --out NEW_FOLDER');
  });

  test('has the four charts with all their marks', () => {
    const charts = html.split('<svg ').slice(1);
    expect(charts.map((chart) => chart.split('data-layer=').length - 1)).toEqual([48, 48, 48, 48]);
  });

  test('of a quantized run: how, the bits of every layer, its packed size, and what the folder is not', () => {
    const page = renderHtml(quantized);
    const text = readable(page);
    expect(text).toContain('4 bits, groups of 128 columns, symmetric, range minmax, in the sweep (OPTQ)');
    expect(text).toContain('fewer bits make every quantized format smaller, zeros only the Tamis archive');
    expectLayers(page, quantized, 'bits', ({ bits }) => (bits === null ? ['not', 'quantized'] : [bits]), 0);
    expect(page.split('<svg ')).toHaveLength(6);
    expect(text).toContain('Bits a weight, packed');
    expect(readable(html)).not.toContain('fewer bits');
    expect(html).not.toContain('id="bits"');
  });

  test('of a run by ADMM: how every layer came to its mask, where there is one that did', () => {
    const admm = admmReport();
    const page = renderHtml(admm);
    expect(page.split('<svg ')).toHaveLength(6);
    expectLayers(page, admm, 'iterations', ({ iterations }) => [iterations?.[27]?.error ?? NaN, '(0.00)'], 3);
    expect(readable(page)).toContain('Mask and weights are chosen together');
    expect(readable(page)).toContain('ADMM');
    expect(html).not.toContain('id="iterations"');
    const partly = {
      ...admm,
      layers: admm.layers.map((layer, i) => (i === 3 ? { ...layer, iterations: null } : layer)),
    };
    expect(table(renderHtml(partly), 'iterations')[0]?.[4]).toBe('–');
  });

  test('of a run by auto: what it tried and took, the sensitivities, and estimates against them', () => {
    const auto = autoReport();
    const page = renderHtml(auto);
    expect(table(page, 'choice')).toEqual([
      ['uniform', '–', 'own', '95.42', '–', ''],
      ['allocate', '10', 'own', '88.21', '−0.0786 ± 0.0031', 'taken'],
      ['allocate', '20', 'own', '89.66', '−0.0622 ± 0.025', 'not clearly better'],
    ]);
    const text = readable(page);
    expect(text).toContain('some of the calibration sequences (16)');
    expect(text).toContain('held back (12), all of 256 tokens');
    expect(text).toContain('below 0 by more than 3.11 standard errors');
    expect(text).toContain('scheduler auto (allocate ±10)');
    expect(text).toContain('auto, after a trial: allocate: the least sum of measured sensitivities');
    expect(text).toMatch(/Rank correlation of the two over 48 layers \(Spearman\): −?0\.\d\d;/);
    expectLayers(page, auto, 'sensitivities', ({ sensitivity }) => [sensitivity ?? NaN], 4);
    const cells = table(page, 'estimates').flatMap(([, ...row]) => row);
    cells.forEach((cell, i) => {
      const { estimate, sensitivity, rows = 0, cols = 0 } = auto.layers[i] ?? {};
      const [first, second] = cell.split(', ').map(numberOf);
      expect(first).toBeCloseTo(Math.log10(estimate ?? NaN), 3);
      expect(second).toBeCloseTo(Math.log10((sensitivity ?? NaN) / (rows * cols)), 3);
    });
    expect(cells).toHaveLength(48);
    expect(page.split('<svg ')).toHaveLength(6);
    expect(table(renderHtml(auto, 'zh-TW'), 'estimates')).toEqual(table(page, 'estimates'));
    for (const absent of ['id="choice"', 'id="sensitivities"', 'Spearman']) expect(html).not.toContain(absent);
  });

  test('of a run by auto: a trial that overflowed, and what was tried before a margin was asked for', () => {
    const auto = autoReport();
    if (!auto.choice) throw new Error('nothing was chosen');
    const { candidates } = auto.choice;
    const overflowed = candidates.map((each, i) => (i === 2 ? { ...each, perplexity: null, difference: null } : each));
    const page = renderHtml({ ...auto, choice: { ...auto.choice, candidates: overflowed } });
    expect(table(page, 'choice').at(-1)).toEqual(['allocate', '20', 'own', '–', '–', 'not finite']);
    const { margin: _margin, ...before } = auto.choice;
    const older = candidates.map(({ difference: _difference, ...each }) => each);
    const read = reportSchema.parse({ ...auto, choice: { ...before, candidates: older } });
    const olderPage = renderHtml(read);
    expect(table(olderPage, 'choice').map((row) => row.slice(4))).toEqual([
      ['–', ''],
      ['–', 'taken'],
      ['–', ''],
    ]);
    expect(readable(olderPage)).not.toContain('standard errors');
  });

  test('groups made by sensitivity stand in brackets, and their centroids are of it', () => {
    const grouped: Report = {
      ...report,
      estimate: 'measured',
      layers: autoReport().layers.map((layer, i) => ({ ...layer, group: i % 3 })),
    };
    const page = renderHtml(grouped);
    const cells = table(page, 'estimates').flatMap(([, ...row]) => row);
    expect(cells.map((cell) => /\((\d)\)$/.exec(cell)?.[1])).toEqual(grouped.layers.map(({ group }) => String(group)));
    expect(readable(page)).toContain('Centroid, log₁₀ sensitivity a weight');
    expect(readable(html)).toContain('Centroid, log₁₀ estimate');
  });

  test('says what is not known', () => {
    const bare: Report = {
      ...nmReport(),
      measured: [],
      layers: nmReport().layers.map((layer) => ({ ...layer, error: null })),
    };
    const page = readable(renderHtml(bare));
    expect(page).toContain('Not measured: the recipe names no evaluation data.');
    expect(page).toContain('No estimates were made');
    expect(page).toContain('2 of every 4 pruned');
    expect(renderHtml(bare).split('<svg ')).toHaveLength(3);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('says what was cut short and what was warned of', () => {
    const cut: Report = {
      ...report,
      model: { ...report.model, blocksCompressed: 2 },
      warnings: [
        { code: 'internal', params: { detail: 'the detail' } },
        { code: 'of.another.version', params: { x: 1 } },
      ],
    };
    const page = readable(renderHtml(cut));
    expect(page).toContain('Only 2 of 8 blocks were compressed.');
    expect(page).toContain('Something went wrong inside Tamis: the detail.');
    expect(page).toContain('of.another.version {"x":1}');
  });

  test('needs nothing outside itself and runs nothing', () => {
    for (const page of [html, renderHtml(hostile), renderHtml(nmReport(), 'zh-TW')]) {
      expect(page).not.toMatch(/<(script|link|img|iframe|object|embed|base|form)\b/i);
      expect(page).not.toMatch(/https?:|\/\/[a-z]|\b(src|href|on\w+)=|@import|url\(/i);
      expect(page).toContain(
        `<meta http-equiv="Content-Security-Policy" content="default-src &#x27;none&#x27;; style-src &#x27;unsafe-inline&#x27;"/>`,
      );
    }
  });

  test('shows hostile names as they are', () => {
    const page = renderHtml(hostile);
    expect(readable(/<h1>(.*?)<\/h1>/s.exec(page)?.[1] ?? '')).toBe(hostileName);
    expect(table(page, 'perplexity')[0]?.[0]).toBe(hostileName);
  });

  test('is written in Traditional Chinese on request, with the same numbers', () => {
    const page = renderHtml(report, 'zh-TW');
    expect(page).toContain('<html lang="zh-TW">');
    expect(page).toContain('困惑度');
    for (const id of ['perplexity', 'estimates', 'errors', 'scheduled', 'centroids', 'stages'])
      expect(table(page, id)).toEqual(table(html, id));
    expect(readable(page.replace(/<style>.*?<\/style>/s, ''))).not.toMatch(
      /\b(field|text|chart|report|axis)\.[a-z]+[-.]/,
    );
  });
});

describe('layers.csv', () => {
  /** RFC 4180, as a spreadsheet reads it. */
  function parseCsv(text: string): string[][] {
    const cells = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)];
    const rows: string[][] = [[]];
    for (const [whole, quoted, bare, end] of cells) {
      if (whole === '') break;
      rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? bare ?? '');
      if (end === '\n') rows.push([]);
    }
    return rows.slice(0, -1);
  }

  test('reads back to the report at full precision', () => {
    const [head = [], ...rows] = parseCsv(layersCsv(report));
    expect(head).toEqual([
      'name',
      'block',
      'type',
      'rows',
      'cols',
      'estimate',
      'sensitivity',
      'group',
      'targetSparsity',
      'sparsity',
      'bits',
      'error',
      'iterations',
      'lastChange',
    ]);
    expect(
      rows.map((row) =>
        Object.fromEntries<string | number | null>(
          row.map((cell, i) => [head[i] ?? '', i === 0 || i === 2 ? cell : cell === '' ? null : Number(cell)]),
        ),
      ),
    ).toEqual(report.layers.map((layer) => ({ ...layer, lastChange: null })));
  });

  test('has the number of iterations, and the change in the last one', () => {
    const admm = admmReport();
    admm.layers.forEach((layer, i) => layer.iterations?.splice(20 + (i % 8)));
    const rows = parseCsv(layersCsv(admm)).slice(1);
    expect(rows.map((row) => row.slice(12).map(Number))).toEqual(
      admm.layers.map(({ iterations }) => [iterations?.length, iterations?.at(-1)?.changed]),
    );
  });

  test('leaves unknown values empty', () => {
    const [, first] = parseCsv(layersCsv(nmReport()));
    expect(first?.slice(5, 8)).toEqual(['', '', '']);
  });

  test('keeps hostile names in their cell and out of a spreadsheet’s formulas', () => {
    const rows = parseCsv(layersCsv(hostile)).slice(1);
    expect(rows.map((row) => row[0])).toEqual(hostile.layers.map((layer) => `'${layer.name}`));
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([14]));
  });
});

describe('model card', () => {
  const card = modelCard(report, 'dense');

  test('begins with the front matter the hub reads', () => {
    const front = /^---\n(.*?)\n---\n/s.exec(card)?.[1]?.split('\n');
    expect(front).toEqual([
      'library_name: transformers',
      'pipeline_tag: text-generation',
      'base_model: "demo-opt"',
      'tags:',
      '- tamis',
      '- sparse',
      '- pruned',
      '- sparsegpt',
    ]);
    expect(modelCard(nmReport(), 'dense')).toContain('\n- 2-of-4-pruned\n');
  });

  test('has the perplexities with their seqlen', () => {
    expect(card).toContain('| held-out | 256 | 256 | 77.64 | 91.03 | 1.173 |');
    expect(card).toContain('| wikitext2 | 2048 | 163 | 27.66 | 113.39 | 4.100 |');
    expect(modelCard({ ...report, measured: [] }, 'dense')).toContain('Not measured');
  });

  test('promises no smaller file and names what is partial', () => {
    expect(card).toContain('The files are as large as the original');
    expect(card).not.toContain('blocks are compressed');
    expect(modelCard({ ...report, model: { ...report.model, blocksCompressed: 2 } }, 'dense')).toContain(
      'Only 2 of 8 blocks are compressed',
    );
  });

  test('names the quantization, and the zeros only of a model that was pruned', () => {
    const card = modelCard(quantized, 'dense');
    expect(card).toContain('\n# demo-opt, 70.0 % sparse, 4 bits\n');
    expect(card).toContain('\n- pruned\n- sparsegpt\n- quantized\n- 4-bit\n');
    expect(card).toContain(String.raw`but \*.fc2 8 bits, but \*.layers.0.\* not at all`);
    expect(card).toContain('Faster inference takes a program with kernels for these bits');
    const alone = modelCard({ ...quantized, sparsity: { target: 0, actual: 0.1 } }, 'dense');
    expect(alone).toContain('\n# demo-opt, 4 bits\n');
    expect(alone).not.toMatch(/^- (sparse|pruned)$/m);
  });

  test('keeps hostile names text, tables whole and folders of the machine to itself', () => {
    const text = modelCard(hostile, 'dense');
    expect(text).not.toContain('<script');
    expect(text).not.toContain('/home/somebody');
    expect(/^---\n.*?\n---\n/s.exec(text)?.[0]).not.toContain('base_model');
    const cells = text
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) => line.replaceAll(String.raw`\|`, '').split('|').length - 2);
    expect(new Set(cells)).toEqual(new Set([2, 6]));
  });
});

describe('comparison', () => {
  const uniform = nmReport();
  const other: Report = {
    ...uniform,
    measured: uniform.measured.map((entry) =>
      entry.dataset === 'held-out'
        ? { ...entry, compressed: { value: 83.22, standardError: null } }
        : { ...entry, seqlen: 1024, compressed: { value: 99, standardError: null } },
    ),
    peakMemoryBytes: 2 ** 30,
  };
  const rows = compareTable([report, other]);
  const row = (key: string): (number | string | null)[] | undefined =>
    rows.find((one) => one.key === key)?.cells.map((cell) => cell.value);

  test('has a cell a report in every row', () => {
    for (const one of compareTable([report, other, uniform])) expect(one.cells).toHaveLength(3);
    expect(row('sparsity-target')).toEqual([0.7, 0.5]);
    expect(row('memory')).toEqual([412_876_800, 2 ** 30]);
    expect(row('method')).toEqual(['SparseGPT', 'SparseGPT']);
    expect(row('estimate')).toEqual(['raw', null]);
  });

  test('puts perplexities in one row only at the same dataset, seqlen and windows', () => {
    expect(row('perplexity-compressed held-out seqlen=256 windows=256')).toEqual([91.0335310148583, 83.22]);
    expect(row('perplexity-compressed wikitext2 seqlen=2048 windows=163')).toEqual([113.39412, null]);
    expect(row('perplexity-compressed wikitext2 seqlen=1024 windows=163')).toEqual([null, 99]);
    const fewer = { ...report, measured: report.measured.map((entry) => ({ ...entry, windows: 8 })) };
    expect(
      compareTable([report, fewer])
        .filter((one) => one.key.startsWith('perplexity-dense'))
        .map((one) => one.cells.map((cell) => cell.text)),
    ).toEqual([
      ['77.64', '–'],
      ['27.66', '–'],
      ['–', '77.64'],
      ['–', '27.66'],
    ]);
  });

  test('knows which rows differ', () => {
    const differing = rows.filter((one) => one.differs).map((one) => one.key);
    expect(differing).toContain('pattern');
    expect(differing).not.toContain('model');
    expect(compareTable([report, report]).filter((one) => one.differs)).toEqual([]);
  });

  test('is written in the reader’s language with the same keys', () => {
    const chinese = compareTable([report, other], 'zh-TW');
    expect(chinese.map((one) => one.key)).toEqual(rows.map((one) => one.key));
    expect(chinese[0]?.label).toBe('模型');
  });
});
