import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { eventSchema, isPassing } from '../../../src/contract/events.ts';
import { labels } from '../../../src/contract/messages/labels.ts';
import { eventSentence } from '../../../src/renderer/run/sentence.ts';
import { autoReport } from '../../fixtures/report.ts';
import { perplexityOf } from '../../fixtures/measured.ts';

const log = join(import.meta.dirname, '../../fixtures/runs/interrupted-events.jsonl');
const events = readFileSync(log, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => {
    const { at: _at, ...event } = JSON.parse(line) as { at: string };
    return eventSchema.parse(event);
  })
  .filter((event) => !isPassing(event));

describe.each(['en', 'zh-TW'] as const)('the log in %s', (locale) => {
  const lines = events.map((event) => eventSentence(event, labels(locale), locale));

  test('has a sentence for everything that is told', () => {
    for (const line of lines) expect(line).not.toMatch(/\{\{|undefined|NaN|\b(log|stage)\.[a-z]/);
    expect(new Set(events.map((event) => event.type)).size).toBeGreaterThan(8);
  });

  test('names what it is about', () => {
    events.forEach((event, i) => {
      const line = lines[i] ?? '';
      if (event.type === 'layer') expect(line).toContain(event.layer.name);
      if (event.type === 'layer') expect(line).toContain((100 * event.layer.sparsity).toFixed(2));
      if (event.type === 'measured') expect(line).toContain(perplexityOf(event.result).toFixed(2));
      if (event.type === 'failed') expect(line).toContain('/runs/interrupted');
    });
  });
});

test('a choice is told with what each schedule came to', () => {
  const { choice } = autoReport();
  if (!choice) throw new Error('nothing was chosen');
  const [uniform, first, second] = choice.candidates;
  if (!uniform || !first || !second) throw new Error('not three were tried');
  const candidates = [uniform, first, { ...second, perplexity: null, difference: null }];
  const event = { type: 'choice', choice: { ...choice, candidates } } as const;
  expect(eventSentence(event, labels('en'), 'en')).toBe(
    'Schedules tried on 16 sequences: uniform 95.42, allocate ±10 88.21 (−0.0786 ± 0.0031), allocate ±20 not finite; taken: allocate ±10',
  );
});

test('a warning of another version is shown as it came', () => {
  const event = { type: 'warning', code: 'of.another.version', params: { x: 1 } } as const;
  expect(eventSentence(event, labels('en'), 'en')).toBe('Warning: of.another.version {"x":1}');
});
