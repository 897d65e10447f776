import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { eventSchema, stages, type RunEvent, type Stage, type TimedEvent } from '../../src/contract/events.ts';
import { reportSchema, type LayerResult } from '../../src/contract/report.ts';
import {
  applyEvents,
  elapsedSeconds,
  emptyView,
  ended,
  stageSeconds,
  stagesOfRun,
  type RunView,
} from '../../src/renderer/run/run-view.ts';

/**
 * Written by the command line: three blocks, killed after the second layer of block 1, resumed, cancelled after block 1,
 * resumed, finished.
 */
const folder = join(import.meta.dirname, '../fixtures/runs');
const lines = readFileSync(join(folder, 'interrupted-events.jsonl'), 'utf8').trimEnd().split('\n');
const told: TimedEvent[] = lines.map((line) => {
  const { at, ...event } = JSON.parse(line) as { at: string };
  return { at, event: eventSchema.parse(event) };
});
const report = reportSchema.parse(JSON.parse(readFileSync(join(folder, 'interrupted-report.json'), 'utf8')));

const end = applyEvents(emptyView, told);
const isStage =
  (stage: Stage, state: string) =>
  ({ event }: TimedEvent): boolean =>
    event.type === 'stage' && event.stage === stage && event.state === state;
const upTo = (count: number): RunView => applyEvents(emptyView, told.slice(0, count));
const cancelled = told.findIndex(({ event }) => event.type === 'failed');
const starts = told.flatMap(({ event }, i) => (event.type === 'started' ? [i] : []));

describe('a run that was killed, resumed, cancelled and resumed', () => {
  test('the log is what it is said to be', () => {
    expect(starts).toHaveLength(3);
    expect(cancelled).toBeGreaterThan(starts[1] ?? Infinity);
    expect(cancelled).toBeLessThan(starts[2] ?? 0);
  });

  test('ends with what its report says', () => {
    expect(end.layers).toEqual(report.layers);
    expect(end.centroids).toEqual(report.centroids);
    expect(end.blocks).toEqual({ done: 3, of: report.model.blocksCompressed });
    expect(
      end.perplexities.map(({ dense, compressed, ...measure }) => ({
        ...measure,
        dense: dense?.perplexity,
        compressed: compressed?.perplexity,
        denseBitsPerByte: dense?.bitsPerByte,
        compressedBitsPerByte: compressed?.bitsPerByte,
      })),
    ).toEqual(report.perplexity);
    expect(end.warnings).toEqual(report.warnings);
    expect(end).toMatchObject({ finished: true, failure: null, progress: null });
    expect(end.log).toEqual(told);
  });

  test('is the same in one piece and event by event', () => {
    expect(told.reduce((view, event) => applyEvents(view, [event]), emptyView)).toEqual(end);
  });

  test('says of every moment which layers are measured', () => {
    for (let count = 0; count <= told.length; count++) {
      const seen = told.slice(0, count).map(({ event }) => event);
      const finished = new Map<string, LayerResult>();
      for (const event of seen) if (event.type === 'layer') finished.set(event.layer.name, event.layer);
      const view = upTo(count);
      expect(view.layers.filter((layer) => layer.sparsity !== null)).toEqual([...finished.values()]);
      const estimated = seen.some((event) => event.type === 'estimate');
      expect(view.layers.some((layer) => layer.estimate !== null)).toBe(estimated);
      expect(view.layers).toHaveLength(seen.some((event) => event.type === 'layers') ? 18 : 0);
      expect(view.blocks?.done ?? 0).toBe(Math.max(0, ...seen.map((e) => (e.type === 'block' ? e.block + 1 : 0))));
    }
  });

  test('keeps what was measured when it is started again', () => {
    for (const start of starts.slice(1)) expect(upTo(start + 2).layers).toEqual(upTo(start).layers);
  });

  test('knows why it stopped, until it goes on', () => {
    const stopped = upTo(cancelled + 1);
    expect(stopped.failure).toEqual({ code: 'cancelled', params: { path: '/runs/interrupted' } });
    expect(stopped.stages.find(({ stage }) => stage === 'compress')?.state).toBe('stopped');
    expect(upTo((starts[2] ?? 0) + 1).failure).toBeNull();
  });

  test('nothing runs in the view of a run that was killed', () => {
    const killed = starts[1] ?? 0;
    const lastTold = told.findLastIndex(({ event }, i) => i < killed && event.type === 'layer');
    const view = ended(upTo(lastTold + 1));
    const begun = told.findIndex(isStage('compress', 'started'));
    const compress = view.stages.find(({ stage }) => stage === 'compress');
    expect(compress).toMatchObject({ state: 'stopped', since: null });
    const seconds = (Date.parse(told[lastTold]?.at ?? '') - Date.parse(told[begun]?.at ?? '')) / 1000;
    expect(compress?.seconds).toBeCloseTo(seconds, 9);
    expect(ended(end).stages).toEqual(end.stages);
    expect(ended(emptyView)).toBe(emptyView);
  });

  test('adds up the seconds of a stage over all starts', () => {
    const time = (index: number): number => Date.parse(told[index]?.at ?? '') / 1000;
    const begun = told.flatMap((one, i) => (isStage('compress', 'started')(one) ? [i] : []));
    const [first = 0, second = 0, third = 0] = begun;
    const killed = told.findIndex((one, i) => i > first && isStage('fingerprint', 'started')(one)) - 1;
    const last = told.find(isStage('compress', 'finished'))?.event;
    const expected =
      time(killed) - time(first) + (time(cancelled) - time(second)) + (last?.type === 'stage' ? last.seconds : NaN);
    const compress = end.stages.find(({ stage }) => stage === 'compress');
    expect(begun).toHaveLength(3);
    expect(compress?.state).toBe('finished');
    expect(compress?.seconds).toBeCloseTo(expected, 6);

    const running = upTo(third + 1).stages.find(({ stage }) => stage === 'compress');
    expect(running?.state).toBe('running');
    if (!running) throw new Error('no stage');
    expect(stageSeconds(running, 1000 * (time(third) + 7)) - running.seconds).toBeCloseTo(7, 6);
  });

  test('tells kept stages from finished ones', () => {
    const states = Object.fromEntries(end.stages.map(({ stage, state }) => [stage, state]));
    expect(states).toEqual({
      fingerprint: 'finished',
      calibration: 'finished',
      'evaluate-dense': 'kept',
      estimate: 'kept',
      choose: 'waiting',
      schedule: 'kept',
      compress: 'finished',
      'evaluate-compressed': 'finished',
      report: 'finished',
    });
    expect(end.stages.find(({ stage }) => stage === 'estimate')?.seconds).toBe(report.seconds['estimate']);
  });
});

describe('parts', () => {
  const at = '2026-11-23T00:00:00.000Z';
  const progress: RunEvent = {
    type: 'progress',
    stage: 'compress',
    done: 1,
    total: 9,
    block: 0,
    tokensPerSecond: 10,
    remainingSeconds: 5,
    memoryBytes: 7,
  };

  test('what an event does not touch stays the same object', () => {
    const half = upTo(cancelled);
    const after = applyEvents(half, [{ at, event: progress }]);
    for (const key of ['stages', 'layers', 'places', 'centroids', 'perplexities', 'warnings', 'log'] as const)
      expect(after[key]).toBe(half[key]);
    expect(after.progress).toBe(progress);
    const next = half.layers[7];
    if (!next) throw new Error('no layer');
    const changed = applyEvents(half, [{ at, event: { type: 'estimate', layer: next.name, estimate: 0.5 } }]);
    expect(changed.layers.filter((layer, i) => layer !== half.layers[i])).toEqual([{ ...next, estimate: 0.5 }]);
  });

  test('progress is not logged, and ends with the run', () => {
    expect(applyEvents(end, [{ at, event: progress }]).log).toBe(end.log);
    expect(applyEvents(upTo(cancelled), [{ at, event: progress }, ...told.slice(cancelled)]).progress).toBeNull();
  });

  test('a log without announced layers fills the map as they are finished', () => {
    const old = told.filter(({ event }) => event.type !== 'layers');
    expect(applyEvents(emptyView, old).layers).toEqual(report.layers);
  });

  test('a warning is told once', () => {
    const warning: TimedEvent = { at, event: { type: 'warning', code: 'x', params: { layer: 'a' } } };
    const other: TimedEvent = { at, event: { type: 'warning', code: 'x', params: { layer: 'b' } } };
    expect(applyEvents(emptyView, [warning, other, warning]).warnings).toEqual([
      { code: 'x', params: { layer: 'a' } },
      { code: 'x', params: { layer: 'b' } },
    ]);
  });

  test('one dataset at two lengths is two measurements', () => {
    const results = told.flatMap(({ event }) => (event.type === 'perplexity' ? [event.result] : []));
    const [result] = results;
    if (!result) throw new Error('no perplexity');
    const events = [result, { ...result, seqlen: 64 }].map((one): TimedEvent => ({
      at,
      event: { type: 'perplexity', which: 'dense', result: one },
    }));
    expect(applyEvents(emptyView, events).perplexities.map(({ seqlen, dense }) => [seqlen, dense?.seqlen])).toEqual([
      [128, 128],
      [64, 64],
    ]);
  });

  test('a stage that the run went past is none of its own', () => {
    expect(stagesOfRun(emptyView.stages)).toEqual(emptyView.stages);
    const shown = (view: RunView): string[] => stagesOfRun(view.stages).map(({ stage }) => stage);
    expect(shown(end)).not.toContain('choose');
    const stage = (name: Stage): TimedEvent => ({
      at,
      event: { type: 'stage', stage: name, state: 'started', seconds: 0 },
    });
    const dense = applyEvents(emptyView, [stage('evaluate-dense')]);
    expect(shown(dense)).toEqual(['evaluate-dense', ...stages.slice(stages.indexOf('evaluate-dense') + 1)]);
    const choosing = applyEvents(dense, [stage('estimate'), stage('choose'), stage('schedule')]);
    expect(shown(choosing).slice(0, 4)).toEqual(['evaluate-dense', 'estimate', 'choose', 'schedule']);
  });

  test('elapsed seconds are those of all stages', () => {
    const sum = end.stages.reduce((seconds, stage) => seconds + stage.seconds, 0);
    expect(elapsedSeconds(end.stages, 0)).toBeCloseTo(sum, 9);
    expect(sum).toBeGreaterThan(3);
  });

  test('96 blocks of 7 layers take under a millisecond an event', () => {
    const layers = Array.from({ length: 672 }, (_, i) => ({
      name: `layer ${i}`,
      block: Math.floor(i / 7),
      type: `type ${i % 7}`,
      rows: 1,
      cols: 1,
    }));
    const events: TimedEvent[] = [
      { at, event: { type: 'layers', layers } },
      ...layers.flatMap(({ name }): TimedEvent[] => [
        { at, event: { type: 'estimate', layer: name, estimate: 1 } },
        { at, event: progress },
      ]),
    ];
    const began = performance.now();
    const view = events.reduce((before, event) => applyEvents(before, [event]), emptyView);
    expect((performance.now() - began) / events.length).toBeLessThan(1);
    expect(view.layers.every((layer) => layer.estimate === 1)).toBe(true);
  });
});
