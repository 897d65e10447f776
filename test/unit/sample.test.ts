import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { message } from '../../src/contract/messages/index.ts';
import {
  calibrationTokens,
  readSequences,
  sampleTexts,
  type CalibrationTokens,
  type SampleOptions,
} from '../../src/worker/texts/sample.ts';
import type { Tokenizer } from '../../src/worker/texts/pieces.ts';
import { openTokenizer } from '../../src/worker/texts/tokenizer.ts';
import type { TextFile } from '../../src/worker/texts/text-file.ts';
import type { OpenTensorFile } from '../../src/worker/texts/token-file.ts';
import type { Texts } from '../../src/worker/texts/texts.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { demoTexts, namesIn } from '../fixtures/demo-texts.ts';

/** Texts of numbers, "12 13 14", that a made-up tokenizer takes for their ids, with id 0 in front; each "\n\n" is id 1. */
const numbers: Tokenizer = {
  encode: (text) =>
    Int32Array.from([
      0,
      ...text
        .replaceAll('\n\n', ' 1 ')
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    ]),
};

class Corpus implements Texts {
  readonly files: readonly TextFile[] = [];
  readonly reads: number[] = [];
  private readonly texts: readonly string[];
  constructor(texts: readonly string[]) {
    this.texts = texts;
  }
  get documents(): number {
    return this.texts.length;
  }
  read(index: number): Promise<string> {
    this.reads.push(index);
    return Promise.resolve(this.texts[index] ?? '');
  }
}

/** Document d of a length: d000 d001 d002 …, so that every id says where it is from; ids from 1000 on. */
function document(index: number, length: number): string {
  return Array.from({ length }, (_, i) => String((index + 1) * 1000 + i)).join(' ');
}

const options: SampleOptions = {
  sequences: 16,
  heldBack: 0,
  seqlen: 8,
  seed: 0,
  vocab: 1_000_000,
  signal: new AbortController().signal,
};

function rows({ tokens, sequences, seqlen }: CalibrationTokens): number[][] {
  expect(tokens).toHaveLength(sequences * seqlen);
  return cut(tokens, seqlen);
}

function cut(tokens: Int32Array, seqlen: number): number[][] {
  return Array.from({ length: tokens.length / seqlen }, (_, i) => [...tokens.subarray(i * seqlen, (i + 1) * seqlen)]);
}

describe('sampling windows of documents', () => {
  const long = new Corpus(Array.from({ length: 20 }, (_, d) => document(d, d % 2 === 0 ? 40 : 5)));

  it('takes runs of tokens of single documents and skips the short ones', async () => {
    const sample = await sampleTexts(long, numbers, options);
    expect(sample).toMatchObject({ sequences: 16, seqlen: 8, warnings: [] });
    for (const row of rows(sample)) {
      const source = numbers.encode(document(Math.floor((row[1] ?? NaN) / 1000) - 1, 40));
      const start = source.indexOf(row[0] ?? NaN);
      expect([...source.subarray(start, start + 8)]).toEqual(row);
      expect(Math.floor((row[1] ?? NaN) / 1000) % 2).toBe(1);
    }
  });

  it('reads each document once, and none that it does not need', async () => {
    const many = new Corpus(Array.from({ length: 500 }, (_, d) => document(d, 40)));
    await sampleTexts(many, numbers, options);
    expect(new Set(many.reads).size).toBe(many.reads.length);
    expect(many.reads.length).toBeLessThanOrEqual(16);
  });

  it('gives the same tokens for the same seed, others for another', async () => {
    const first = await sampleTexts(long, numbers, options);
    expect(await sampleTexts(long, numbers, options)).toEqual(first);
    for (const seed of [1, 2, 0xffffffff]) {
      expect((await sampleTexts(long, numbers, { ...options, seed })).tokens).not.toEqual(first.tokens);
    }
  });

  it('draws documents and places evenly', async () => {
    const corpus = new Corpus([document(0, 10), document(1, 10), 'x '.repeat(0), document(3, 10)]);
    const sequences = 9000;
    // 11 tokens with the one in front: places 0 … 3
    const sample = await sampleTexts(corpus, numbers, { ...options, sequences, seqlen: 8 });
    expect(sample.warnings).toHaveLength(1); // four windows side by side are too few: see below
    const even = await sampleTexts(new Corpus([0, 1, 2].map((d) => document(d, 10))), numbers, {
      ...options,
      sequences,
    });
    const counts = new Map<string, number>();
    for (const row of rows(even)) {
      const key = `${Math.floor((row[1] ?? NaN) / 1000)}:${row[0]}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(12);
    // 750 expected of each; 6 standard deviations of a binomial are 157
    for (const count of counts.values()) expect(Math.abs(count - 750)).toBeLessThan(157);
  });

  it('takes overlapping windows without a word where all documents are long', async () => {
    const sample = await sampleTexts(new Corpus([document(0, 20)]), numbers, options);
    expect(sample.warnings).toEqual([]);
    expect(rows(sample)).toHaveLength(16);
  });
});

describe('documents too short', () => {
  const short = new Corpus([...Array.from({ length: 30 }, (_, d) => document(d, 4)), document(30, 9)]);

  it('are concatenated with a blank line between, and a warning says so', async () => {
    const sample = await sampleTexts(short, numbers, options);
    expect(sample.warnings).toEqual([
      { code: 'calibration.concatenated', params: { long: 1, documents: 31, seqlen: 8, sequences: 16 } },
    ]);
    const whole = Array.from({ length: 31 }, (_, d) => [
      1,
      ...numbers.encode(document(d, d === 30 ? 9 : 4)).subarray(1),
    ]).flat();
    const stream = whole.join(' ');
    for (const row of rows(sample)) expect(` ${stream} `).toContain(` ${row.join(' ')} `);
    expect(new Set(rows(sample).map(String)).size).toBeGreaterThan(10);
  });

  it('reach the last token of the concatenation and the first', async () => {
    const sample = await sampleTexts(short, numbers, { ...options, sequences: 3000 });
    const starts = rows(sample).map((row) => row.join(' '));
    expect(starts).toContain([1, 1000, 1001, 1002, 1003, 1, 2000, 2001].join(' '));
    expect(starts).toContain([31001, 31002, 31003, 31004, 31005, 31006, 31007, 31008].join(' '));
  });

  it('are left alone where the long ones suffice', async () => {
    const corpus = new Corpus([...Array.from({ length: 5 }, (_, d) => document(d, 4)), document(5, 300)]);
    const sample = await sampleTexts(corpus, numbers, options);
    expect(sample.warnings).toEqual([]);
    for (const row of rows(sample)) expect(Math.floor((row[7] ?? NaN) / 1000)).toBe(6);
  });

  it('are an error where all of them make less than one sequence', async () => {
    await expect(sampleTexts(new Corpus(['10 11', '12']), numbers, options)).rejects.toMatchObject({
      code: 'calibration.too-short',
      params: { tokens: 5, seqlen: 8 },
    });
  });
});

describe('sequences held back', () => {
  const wanted = { ...options, heldBack: 6 };
  const long = new Corpus(Array.from({ length: 8 }, (_, d) => document(d, 99)));
  const short = new Corpus(Array.from({ length: 60 }, (_, d) => document(d, 6)));
  const warningsOf = ({ warnings }: CalibrationTokens): string[] => warnings.map(({ code }) => code);

  /** Ids from 1000 on are in one place only; 0 and 1 stand between documents. */
  function places(sequences: number[][]): number[] {
    return sequences.flat().filter((id) => id >= 1000);
  }

  it.each([0, 1, 2, 3, 4])('share no token with the others, nor with each other: seed %i', async (seed) => {
    for (const corpus of [long, short]) {
      const sample = await sampleTexts(corpus, numbers, { ...wanted, seed });
      expect(warningsOf(sample)).not.toContain('calibration.nothing-held-back');
      expect(sample.heldBack).toHaveLength(6 * 8);
      const apart = places(cut(sample.heldBack, 8));
      expect(apart.length).toBeGreaterThan(6 * 6);
      expect(new Set(apart).size).toBe(apart.length);
      const calibrated = new Set(places(rows(sample)));
      expect(apart.filter((id) => calibrated.has(id))).toEqual([]);
    }
  });

  it('are runs of tokens of single documents, or of all of them one after another', async () => {
    for (const corpus of [long, short]) {
      const [separator, prefix] = corpus === long ? [' ', 0] : ['\n\n', 1];
      const texts = await Promise.all(Array.from({ length: corpus.documents }, (_, d) => corpus.read(d)));
      const streams = corpus === long ? texts : [`${separator}${texts.join(separator)}`];
      const written = streams.map((text) => ` ${numbers.encode(text).subarray(prefix).join(' ')} `);
      const { heldBack } = await sampleTexts(corpus, numbers, wanted);
      for (const row of cut(heldBack, 8))
        expect(
          written.some((text) => text.includes(` ${row.join(' ')} `)),
          String(row),
        ).toBe(true);
    }
  });

  it('change nothing of the calibration', async () => {
    for (const corpus of [long, short]) {
      const without = await sampleTexts(corpus, numbers, options);
      const sample = await sampleTexts(corpus, numbers, wanted);
      expect(without.heldBack).toHaveLength(0);
      expect(sample.tokens).toEqual(without.tokens);
      expect(sample.warnings).toEqual(without.warnings);
      expect(await sampleTexts(corpus, numbers, wanted)).toEqual(sample);
    }
  });

  it('are as many as there are places', async () => {
    // 27 tokens, of which one sequence takes 8: one to three more lie beside it.
    const sample = await sampleTexts(new Corpus([document(0, 26)]), numbers, { ...wanted, sequences: 1 });
    expect(sample.warnings).toEqual([]);
    expect([1, 2]).toContain(sample.heldBack.length / 8);
  });

  it('are the last ones, with a warning, where the corpus holds no others', async () => {
    const small = new Corpus([document(0, 20)]);
    const sample = await sampleTexts(small, numbers, wanted);
    expect(sample.warnings).toEqual([{ code: 'calibration.nothing-held-back', params: { sequences: 16, last: 6 } }]);
    for (const { code, params } of sample.warnings) expect(message(code, params, 'en')).not.toContain('{{');
    expect(cut(sample.heldBack, 8)).toEqual(rows(sample).slice(-6));
    const single = await sampleTexts(new Corpus([document(0, 8)]), numbers, { ...wanted, sequences: 1 });
    expect(single.heldBack).toEqual(single.tokens);
    expect(single.warnings).toMatchObject([{ params: { sequences: 1, last: 1 } }]);
  });
});

describe('a tokenizer or a run that does not go on', () => {
  it('ids that the model does not know', async () => {
    const corpus = new Corpus([document(0, 20)]);
    await expect(sampleTexts(corpus, numbers, { ...options, vocab: 1010 })).rejects.toMatchObject({
      code: 'tokenizer.beyond-vocabulary',
      params: { id: 1010, vocab: 1010 },
    });
  });
  it('stops when it is cancelled', async () => {
    const signal = AbortSignal.abort();
    await expect(sampleTexts(new Corpus([document(0, 20)]), numbers, { ...options, signal })).rejects.toThrow('abort');
  });
});

describe('the demo', () => {
  it('takes every sequence from one of its texts', async () => {
    const chapters = namesIn(demoTexts.calibration).filter((name) => name.startsWith('chapter-'));
    const paths = chapters.map((name) => join(demoTexts.calibration, name));
    const tokenizer = await openTokenizer(demoModel);
    const sources = { tokenizer: () => Promise.resolve(tokenizer), openTensorFile: noTensorFile };
    const wanted = { ...options, sequences: 128, seqlen: 256, vocab: 8192 };
    const sample = await calibrationTokens({ kind: 'texts', paths }, wanted, sources);
    expect(sample).toMatchObject({ sequences: 128, seqlen: 256, warnings: [] });
    const texts = paths.map((path) => ` ${tokenizer.encode(readFileSync(path, 'utf8')).join(' ')} `);
    for (const row of rows(sample)) expect(texts.some((text) => text.includes(` ${row.join(' ')} `))).toBe(true);
    expect(new Set(rows(sample).map(String)).size).toBe(128);
    const holding = await calibrationTokens({ kind: 'texts', paths }, { ...wanted, heldBack: 16 }, sources);
    expect(holding.tokens).toEqual(sample.tokens);
    expect(holding.heldBack).toHaveLength(16 * 256);
    expect(holding.warnings).toEqual([]);
  });
});

const noTensorFile: OpenTensorFile = () => {
  throw new Error('no tensor file is expected here');
};

describe('token files', () => {
  const open =
    (shape: readonly number[], ids: readonly number[], name = 'tokens', dtype = 'I64'): OpenTensorFile =>
    () => ({ tensors: () => [{ name, dtype, shape }], readI64: () => Float64Array.from(ids) });
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  const wanted = { ...options, sequences: 3, seqlen: 4, vocab: 100 };

  it('gives the first rows of [n, seqlen]', () => {
    const sample = readSequences('c.safetensors', wanted, open([5, 4], upTo(20)));
    expect(sample).toEqual({
      tokens: Int32Array.from(upTo(12)),
      sequences: 3,
      seqlen: 4,
      heldBack: new Int32Array(0),
      warnings: [],
    });
  });
  it('cuts [n] up', () => {
    expect(rows(readSequences('c.safetensors', wanted, open([15], upTo(15))))).toEqual([
      upTo(4),
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ]);
  });
  it('says where there are fewer than asked for', () => {
    const { sequences, warnings } = readSequences('c.safetensors', wanted, open([2, 4], upTo(8)));
    expect(sequences).toBe(2);
    expect(warnings).toEqual([
      { code: 'calibration.fewer-sequences', params: { path: 'c.safetensors', found: 2, wanted: 3 } },
    ]);
    for (const { code, params } of warnings) expect(message(code, params, 'en')).not.toContain('{{');
  });

  it('holds the rows after them back, as many as there are', () => {
    const holding = (heldBack: number): CalibrationTokens =>
      readSequences('c.safetensors', { ...wanted, heldBack }, open([23], upTo(23)));
    expect(holding(1).heldBack).toEqual(Int32Array.of(12, 13, 14, 15));
    expect(holding(2).heldBack).toEqual(Int32Array.from(upTo(20).slice(12)));
    expect(holding(16)).toEqual({ ...holding(0), heldBack: holding(2).heldBack });
  });
  it('takes the last ones for both where there are no others, with a warning', () => {
    const { tokens, heldBack, warnings } = readSequences('c', { ...wanted, heldBack: 2 }, open([3, 4], upTo(12)));
    expect(tokens).toEqual(Int32Array.from(upTo(12)));
    expect(heldBack).toEqual(Int32Array.from(upTo(12).slice(4)));
    expect(warnings).toEqual([{ code: 'calibration.nothing-held-back', params: { sequences: 3, last: 2 } }]);
    const few = readSequences('c', { ...wanted, heldBack: 16 }, open([2, 4], upTo(8)));
    expect(few.heldBack).toEqual(few.tokens);
    expect(few.warnings).toMatchObject([
      { code: 'calibration.fewer-sequences' },
      { code: 'calibration.nothing-held-back', params: { sequences: 2, last: 2 } },
    ]);
  });

  it.each([
    ['no tensor of the name', open([8], upTo(8), 'ids'), 'tokens.no-tensor', {}],
    ['floats', open([8], upTo(8), 'tokens', 'F32'), 'tokens.no-tensor', {}],
    ['three dimensions', open([1, 2, 4], upTo(8)), 'tokens.shape', { shape: '[1, 2, 4]' }],
    ['rows of another length', open([2, 5], upTo(10)), 'calibration.seqlen', { found: 5, seqlen: 4 }],
    [
      'an id too large',
      open([8], [0, 1, 2, 100, 0, 0, 0, 0]),
      'tokens.out-of-range',
      { position: 3, id: 100, vocab: 100 },
    ],
    ['a negative id', open([8], [0, -1, 2, 3, 0, 0, 0, 0]), 'tokens.out-of-range', { position: 1, id: -1, vocab: 100 }],
  ])('refuses %s', (_, openFile, code, params) => {
    const refuse = (): CalibrationTokens => readSequences('c.safetensors', wanted, openFile);
    expect(refuse).toThrow(expect.objectContaining({ code, params: { path: 'c.safetensors', ...params } }));
  });
  it('refuses fewer tokens than a sequence', () => {
    expect(() => readSequences('c.safetensors', wanted, open([3], upTo(3)))).toThrow('calibration.too-short');
  });
});

describe('calibrationTokens', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tamis-sample-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('opens a tokenizer for texts', async () => {
    const path = join(folder, 'a.txt');
    writeFileSync(path, document(0, 100));
    const sources = { tokenizer: () => Promise.resolve(numbers), openTensorFile: noTensorFile };
    const { tokens } = await calibrationTokens({ kind: 'texts', paths: [path] }, options, sources);
    expect(tokens).toHaveLength(128);
  });
  it('opens none for token ids', async () => {
    const sources = {
      tokenizer: () => Promise.reject(new Error('no tokenizer is expected here')),
      openTensorFile: () => ({
        tensors: () => [{ name: 'tokens', dtype: 'I64', shape: [128] }],
        readI64: () => new Float64Array(128),
      }),
    };
    const { sequences } = await calibrationTokens({ kind: 'tokens', path: 'c.safetensors' }, options, sources);
    expect(sequences).toBe(16);
  });
});
