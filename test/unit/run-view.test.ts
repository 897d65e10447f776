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
import { cpuTime } from '../fixtures/cpu-time.ts';
import { told } from '../fixtures/events.ts';

/**
 * Written by the command line: three blocks, killed after the second layer of block 1, resumed, cancelled after block 1,
 * resumed, finished.
 */
const folder = join(import.meta.dirname, '../fixtures/runs');
const lines = readFileSync(join(folder, 'interrupted-events.jsonl'), 'utf8').trimEnd().split('\n');
const log: TimedEvent[] = lines.map((line, index) => {
  const { at, ...event } = JSON.parse(line) as { at: string };
  return { seq: index + 1, at, event: eventSchema.parse(event) };
});
const report = reportSchema.parse(JSON.parse(readFileSync(join(folder, 'interrupted-report.json'), 'utf8')));

const end = applyEvents(emptyView, log);
const isStage =
  (stage: Stage, state: string) =>
  ({ event }: TimedEvent): boolean =>
    event.type === 'stage' && event.stage === stage && event.state === state;
const upTo = (count: number): RunView => applyEvents(emptyView, log.slice(0, count));
const cancelled = log.findIndex(({ event }) => event.type === 'failed');
const starts = log.flatMap(({ event }, i) => (event.type === 'started' ? [i] : []));

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
    expect(end.measured).toEqual(report.measured);
    expect(end.warnings).toEqual(report.warnings);
    expect(end).toMatchObject({ finished: true, failure: null, progress: null });
    expect(end.log).toEqual(log);
  });

  test('is the same in one piece and event by event', () => {
    expect(log.reduce((view, event) => applyEvents(view, [event]), emptyView)).toEqual(end);
  });

  test('says of every moment which layers are measured', () => {
    for (let count = 0; count <= log.length; count++) {
      const seen = log.slice(0, count).map(({ event }) => event);
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
    const lastTold = log.findLastIndex(({ event }, i) => i < killed && event.type === 'layer');
    const view = ended(upTo(lastTold + 1));
    const begun = log.findIndex(isStage('compress', 'started'));
    const compress = view.stages.find(({ stage }) => stage === 'compress');
    expect(compress).toMatchObject({ state: 'stopped', since: null });
    const seconds = (Date.parse(log[lastTold]?.at ?? '') - Date.parse(log[begun]?.at ?? '')) / 1000;
    expect(compress?.seconds).toBeCloseTo(seconds, 9);
    expect(ended(end).stages).toEqual(end.stages);
    expect(ended(emptyView)).toBe(emptyView);
  });

  test('adds up the seconds of a stage over all starts', () => {
    const time = (index: number): number => Date.parse(log[index]?.at ?? '') / 1000;
    const begun = log.flatMap((one, i) => (isStage('compress', 'started')(one) ? [i] : []));
    const [first = 0, second = 0, third = 0] = begun;
    const killed = log.findIndex((one, i) => i > first && isStage('fingerprint', 'started')(one)) - 1;
    const last = log.find(isStage('compress', 'finished'))?.event;
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

describe('events that come again', () => {
  const usage: RunEvent = { type: 'gpu-usage', memoryBytes: 1, utilization: 0.5 };

  test('change nothing, alone and before further ones', () => {
    for (let count = 1; count <= log.length; count++) {
      const view = upTo(count);
      expect(applyEvents(view, log.slice(Math.max(0, count - 20), count))).toBe(view);
    }
    const half = upTo(cancelled);
    expect(applyEvents(half, [...log.slice(cancelled - 30), ...log.slice(cancelled - 10)])).toEqual(end);
  });

  test('two that are alike are two', () => {
    const stage: RunEvent = { type: 'stage', stage: 'report', state: 'finished', seconds: 2 };
    const twice = applyEvents(emptyView, told([stage, stage]));
    expect(twice.log).toHaveLength(2);
    expect(twice.stages.find(({ stage: name }) => name === 'report')?.seconds).toBe(4);
  });

  test('what has passed does not come back', () => {
    const late = told([usage], cancelled);
    expect(applyEvents(upTo(cancelled), late).gpuUsage).toBe(usage);
    const stopped = upTo(cancelled + 1);
    expect(applyEvents(stopped, late)).toBe(stopped);
  });
});

describe('parts', () => {
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
    const after = applyEvents(half, told([progress], cancelled));
    for (const key of ['stages', 'layers', 'places', 'centroids', 'measured', 'warnings', 'log'] as const)
      expect(after[key]).toBe(half[key]);
    expect(after.progress).toBe(progress);
    const next = half.layers[7];
    if (!next) throw new Error('no layer');
    const changed = applyEvents(half, told([{ type: 'estimate', layer: next.name, estimate: 0.5 }], cancelled));
    expect(changed.layers.filter((layer, i) => layer !== half.layers[i])).toEqual([{ ...next, estimate: 0.5 }]);
  });

  test('progress is not logged, and ends with the run', () => {
    const after = applyEvents(end, told([progress], log.length));
    expect(after.progress).toBe(progress);
    expect(after.log).toBe(end.log);
    expect(applyEvents(upTo(cancelled), [...told([progress], cancelled), ...log.slice(cancelled)]).progress).toBeNull();
  });

  test('a log without announced layers fills the map as they are finished', () => {
    const old = log.filter(({ event }) => event.type !== 'layers');
    expect(applyEvents(emptyView, old).layers).toEqual(report.layers);
  });

  test('a warning is told once', () => {
    const warning: RunEvent = { type: 'warning', code: 'x', params: { layer: 'a', weight: 1 } };
    const turned: RunEvent = { type: 'warning', code: 'x', params: { weight: 1, layer: 'a' } };
    const other: RunEvent = { type: 'warning', code: 'x', params: { layer: 'b', weight: 1 } };
    expect(applyEvents(emptyView, told([warning, other, warning, turned])).warnings).toEqual([
      { code: 'x', params: { layer: 'a', weight: 1 } },
      { code: 'x', params: { layer: 'b', weight: 1 } },
    ]);
  });

  test('one dataset at two lengths is two measurements', () => {
    const results = log.flatMap(({ event }) => (event.type === 'measured' ? [event.result] : []));
    const [result] = results;
    if (!result) throw new Error('nothing measured');
    const events = [result, { ...result, seqlen: 64 }].map((one): RunEvent => ({
      type: 'measured',
      which: 'dense',
      result: one,
    }));
    const { measured } = applyEvents(emptyView, told(events));
    const dense = 68.98690061535478;
    expect(measured.map((one) => [one.measure, one.seqlen, one.dense?.value])).toEqual([
      ['perplexity', 128, dense],
      ['bits-per-byte', 128, 1.5237136229367747],
      ['perplexity', 64, dense],
      ['bits-per-byte', 64, 1.5237136229367747],
    ]);
  });

  test('a stage that the run went past is none of its own', () => {
    expect(stagesOfRun(emptyView.stages)).toEqual(emptyView.stages);
    const shown = (view: RunView): string[] => stagesOfRun(view.stages).map(({ stage }) => stage);
    expect(shown(end)).not.toContain('choose');
    const stage = (name: Stage): RunEvent => ({ type: 'stage', stage: name, state: 'started', seconds: 0 });
    const dense = applyEvents(emptyView, told([stage('evaluate-dense')]));
    expect(shown(dense)).toEqual(['evaluate-dense', ...stages.slice(stages.indexOf('evaluate-dense') + 1)]);
    const choosing = applyEvents(dense, told([stage('estimate'), stage('choose'), stage('schedule')], 1));
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
    const events = told([
      { type: 'layers', layers },
      ...layers.flatMap(({ name }): RunEvent[] => [{ type: 'estimate', layer: name, estimate: 1 }, progress]),
    ]);
    let view = emptyView;
    const took = cpuTime(() => {
      view = events.reduce((before, event) => applyEvents(before, [event]), emptyView);
    });
    expect(took / events.length).toBeLessThan(1);
    expect(view.layers.every((layer) => layer.estimate === 1)).toBe(true);
  });
});
