import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { RunEvent, TimedEvent } from '../../../src/contract/events.ts';
import { applyEvents, emptyView, type RunView } from '../../../src/renderer/run/run-view.ts';
import { Inbox } from '../../../src/renderer/run/inbox.ts';
import { told } from '../../fixtures/events.ts';

let frames: (() => void)[] = [];
let got: (readonly TimedEvent[])[] = [];
let view: RunView = emptyView;
const nextFrame = (): void => frames.splice(0).forEach((draw) => draw());
/** Brings in as the page does. */
const inbox = (): Inbox =>
  new Inbox((events, areAll) => {
    got.push(events);
    view = applyEvents(areAll ? emptyView : view, events);
  });

const block = (number: number): TimedEvent[] =>
  told([{ type: 'block', block: number, blocks: 9, seconds: 1 }], number - 1);
const progressEvent = (number: number): RunEvent => ({
  type: 'progress',
  stage: 'compress',
  done: number,
  total: 9,
  block: null,
  tokensPerSecond: null,
  remainingSeconds: null,
  memoryBytes: 1,
});
const progress = (number: number): TimedEvent[] => told([progressEvent(number)], number);
const shown = (): number[] => view.log.map(({ seq }) => seq);

beforeEach(() => {
  frames = [];
  got = [];
  view = emptyView;
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => frames.push(draw));
  vi.stubGlobal('cancelAnimationFrame', (id: number) => frames.splice(id - 1, 1));
});
afterEach(() => vi.unstubAllGlobals());

test('what is pushed within a frame comes in one piece', () => {
  const box = inbox();
  box.open([]);
  box.add(block(1));
  box.add([...block(2), ...block(3)]);
  expect(frames).toHaveLength(1);
  nextFrame();
  box.add(block(4));
  nextFrame();
  expect(got).toEqual([[], [...block(1), ...block(2), ...block(3)], block(4)]);
});

test('pushes wait for what was told before them, and are not shown twice', () => {
  const box = inbox();
  box.add([...block(2), ...block(3)]);
  expect(frames).toEqual([]);
  box.open([...block(1), ...block(2)]);
  expect(shown()).toEqual([1, 2, 3]);
  box.add([...block(3), ...block(4)]);
  nextFrame();
  expect(shown()).toEqual([1, 2, 3, 4]);
});

test('a push of 2,000 events that the page has is not shown again', () => {
  const events = told(Array.from({ length: 2000 }, (_, block) => ({ type: 'block', block, blocks: 2000, seconds: 1 })));
  const box = inbox();
  box.add(events);
  box.open(events);
  box.add(events);
  nextFrame();
  expect(view.log).toEqual(events);
});

test('while no frame is drawn only the newest progress is kept, and everything else', () => {
  const box = inbox();
  box.open([]);
  for (const number of [1, 2, 3]) box.add([...block(number), ...progress(number)]);
  nextFrame();
  expect(got.at(-1)).toEqual([...block(1), ...block(2), ...block(3), ...progress(3)]);
  expect(view.progress).toEqual(progressEvent(3));
});

test('a run that begins anew, after a start that left no log, is shown from its beginning', () => {
  const refused = inbox();
  refused.open([...block(1), ...block(2)]);
  refused.close();
  const anew = told([{ type: 'warning', code: 'x', params: {} }]);
  const box = inbox();
  box.open(anew);
  expect(view).toEqual(applyEvents(emptyView, anew));
});

test('a page that is left draws nothing more', () => {
  const box = inbox();
  box.open([]);
  box.add(block(1));
  box.close();
  nextFrame();
  expect(got).toEqual([[]]);
  const late = inbox();
  late.close();
  late.open(block(1));
  expect(got).toEqual([[]]);
});
