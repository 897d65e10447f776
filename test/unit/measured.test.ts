import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { eventSchema } from '../../src/contract/events.ts';
import { exportRecordsSchema } from '../../src/contract/exports.ts';
import {
  datasetResultSchema,
  firstOf,
  measuredSchema,
  withResult,
  type MeasuredSoFar,
} from '../../src/contract/measured.ts';
import { mainMeasures, measureIds, measures, writeContrast, writeValue } from '../../src/contract/measures.ts';
import { reportSchema } from '../../src/contract/report.ts';
import { bitsOfText, perplexity } from '../../src/worker/evaluate/perplexity.ts';

/** What the first version wrote of a run, and told while it went. */
const runs = join(import.meta.dirname, '../fixtures/runs');
const oldReport = JSON.parse(readFileSync(join(runs, 'interrupted-report.json'), 'utf8')) as Record<string, unknown>;
const oldEvents = readFileSync(join(runs, 'interrupted-events.jsonl'), 'utf8')
  .split('\n')
  .filter((line) => line.includes('"perplexity"'))
  .map((line) => JSON.parse(line) as { at: string; type: string; result: unknown });

const sample = { dataset: 'evaluation', seqlen: 128, windows: 4, tokens: 512 };

describe('what the first version wrote', () => {
  test('a report: its perplexities and bits per byte, without a standard error', () => {
    expect(oldReport['version']).toBe(1);
    const report = reportSchema.parse(oldReport);
    expect(report.version).toBe(2);
    const unknown = (value: number): unknown => ({ value, standardError: null });
    expect(report.measured).toEqual([
      { measure: 'perplexity', ...sample, dense: unknown(68.98690061535478), compressed: unknown(75.84977471633876) },
      {
        measure: 'bits-per-byte',
        ...sample,
        dense: unknown(1.5237136229367747),
        compressed: unknown(1.5578442187839805),
      },
    ]);
    expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  test('a report of token ids alone has no bits per byte, one without evaluation nothing', () => {
    const [entry] = oldReport['perplexity'] as Record<string, unknown>[];
    const bare = { ...entry, denseBitsPerByte: null, compressedBitsPerByte: null };
    const { measured } = reportSchema.parse({ ...oldReport, perplexity: [bare] });
    expect(measured.map(({ measure }) => measure)).toEqual(['perplexity']);
    expect(reportSchema.parse({ ...oldReport, perplexity: [] }).measured).toEqual([]);
  });

  test('a damaged report: the field is named', () => {
    const [entry] = oldReport['perplexity'] as Record<string, unknown>[];
    const fieldOf = (report: unknown): string | undefined =>
      reportSchema.safeParse(report).error?.issues[0]?.path.join('.');
    expect(fieldOf({ ...oldReport, perplexity: [{ ...entry, dense: 'x' }] })).toBe('perplexity.0.dense');
    expect(fieldOf({ ...oldReport, fingerprint: 1 })).toBe('fingerprint');
    expect(fieldOf({ ...oldReport, version: 3 })).toBe('version');
  });

  test('events', () => {
    expect(oldEvents).toHaveLength(2);
    const events = oldEvents.map(({ at: _, ...event }) => eventSchema.parse(event));
    expect(events.map(({ type }) => type)).toEqual(['measured', 'measured']);
    const results = events.flatMap((event) => (event.type === 'measured' ? [event] : []));
    const both = results.reduce<readonly MeasuredSoFar[]>(
      (all, { which, result }) => withResult(all, which, result),
      [],
    );
    expect(both).toEqual(reportSchema.parse(oldReport).measured);
  });

  test('the records of exports, checked or not', () => {
    const record = {
      format: 'gptq',
      path: '/x',
      bytes: 1,
      bitsPerWeight: 4,
      seconds: 1,
      date: '2026-11-23T04:16:50.180Z',
    };
    const [unchecked, checked] = exportRecordsSchema.parse([
      { ...record, perplexity: null },
      { ...record, perplexity: oldEvents.map(({ result }) => result) },
    ]);
    expect(unchecked).toEqual({ ...record, results: null });
    expect(checked?.results?.[1]).toEqual({
      ...sample,
      seconds: 0.3312940839999999,
      values: [
        { measure: 'perplexity', value: 75.84977471633876, standardError: null },
        { measure: 'bits-per-byte', value: 1.5578442187839805, standardError: null },
      ],
    });
    expect(exportRecordsSchema.parse(JSON.parse(JSON.stringify([unchecked, checked])))).toEqual([unchecked, checked]);
  });

  test('what is neither is refused', () => {
    expect(() => datasetResultSchema.parse({ ...sample, seconds: 1, perplexity: 'x', bitsPerByte: null })).toThrow();
    expect(() =>
      datasetResultSchema.parse({ ...sample, seconds: 1, values: [{ measure: 'none', value: 1 }] }),
    ).toThrow();
  });
});

describe('standard errors', () => {
  const seqlen = 4;
  /** Of each position; the last of a window does not count. */
  const losses = Float64Array.from([1, 2, 3, 99, 2, 2, 5, 99, 4, 4, 4, 99]);
  const predictions = { seqlen, losses, hits: new Uint8Array(losses.length) };
  const text = { tokens: 12, bytes: 30 };
  const dataset = { name: 'd', tokens: new Int32Array(12), windows: 3, seqlen, text };

  test('of perplexity: the delta method on the mean of the windows', () => {
    // Means 2, 3, 4: their mean is 3, their variance (1 + 0 + 1) / 2, so the mean's standard error sqrt(1 / 3).
    const { value, standardError } = perplexity(predictions);
    expect(value).toBeCloseTo(Math.exp(3), 12);
    expect(standardError).toBeCloseTo(Math.exp(3) * Math.sqrt(1 / 3), 12);
  });

  test('of bits per byte: in the unit of the mean', () => {
    const bits = bitsOfText(predictions, dataset);
    expect(bits?.value).toBeCloseTo((3 / Math.LN2) * (12 / 30), 12);
    expect(bits?.standardError).toBeCloseTo((Math.sqrt(1 / 3) / Math.LN2) * (12 / 30), 12);
    expect(bitsOfText(predictions, { ...dataset, text: { ...text, bytes: null } })).toBeNull();
  });

  test('of one window is not known', () => {
    const one = { ...predictions, losses: losses.subarray(0, seqlen) };
    expect(perplexity(one)).toEqual({ value: Math.exp(2), standardError: null });
  });

  test('hold as often as they say', () => {
    // 400 draws of 30 windows whose means are normal around 3: two standard errors hold the mean in about 95 %.
    let state = 7;
    const uniform = (): number => ((state = (state * 48271) % 2147483647) + 0.5) / 2147483647;
    const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const held = Array.from({ length: 400 }, () => {
      const drawn = Float64Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 3 + 0.2 * normal() : 99));
      const { value, standardError } = perplexity({ seqlen: 2, losses: drawn, hits: new Uint8Array(60) });
      return Math.abs(value - Math.exp(3)) < 2 * (standardError ?? NaN) ? 1 : 0;
    });
    const share = held.reduce<number>((a, b) => a + b, 0) / held.length;
    expect(share).toBeGreaterThan(0.91);
    expect(share).toBeLessThan(0.98);
  });
});

describe('the table of measures', () => {
  test('each restates one that restates none, and is written with finite digits', () => {
    for (const id of measureIds) {
      const { restates, range } = measures[id];
      if (restates !== null) expect(mainMeasures).toContain(restates);
      expect(writeValue(id, Math.max(range[0], Math.min(range[1], 1.5)))).toMatch(/^\d+\.\d+/);
    }
  });

  test('numbers are set against each other in words', () => {
    expect(writeContrast('perplexity', 91.0335, 77.6399)).toBe('1.173 ×');
    expect(writeContrast('perplexity', 91.0335, 77.6399, 4)).toBe('1.1725 ×');
  });

  test('the first of a measure is that on the first dataset', () => {
    const entry = {
      measure: 'perplexity' as const,
      ...sample,
      dense: { value: 1, standardError: null },
      compressed: { value: 2, standardError: null },
    };
    const entries = [entry, { ...entry, dataset: 'second' }].map((one) => measuredSchema.parse(one));
    expect(firstOf(entries, 'perplexity')?.dataset).toBe('evaluation');
    expect(firstOf(entries, 'bits-per-byte')).toBeUndefined();
  });
});
