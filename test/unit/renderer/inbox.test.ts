import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { RunEvent, TimedEvent } from '../../../src/contract/events.ts';
import { Inbox } from '../../../src/renderer/run/inbox.ts';

let frames: (() => void)[] = [];
let got: (readonly TimedEvent[])[] = [];
const nextFrame = (): void => frames.splice(0).forEach((draw) => draw());
const inbox = (): Inbox => new Inbox((events) => got.push(events));

const timed = (second: number, event: RunEvent): TimedEvent => ({ at: `2026-11-23T00:00:0${second}.000Z`, event });
const block = (second: number): TimedEvent => timed(second, { type: 'block', block: second, blocks: 9, seconds: 1 });
const progress = (second: number): TimedEvent =>
  timed(second, {
    type: 'progress',
    stage: 'compress',
    done: second,
    total: 9,
    block: null,
    tokensPerSecond: null,
    remainingSeconds: null,
    memoryBytes: 1,
  });

beforeEach(() => {
  frames = [];
  got = [];
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => frames.push(draw));
  vi.stubGlobal('cancelAnimationFrame', (id: number) => frames.splice(id - 1, 1));
});
afterEach(() => vi.unstubAllGlobals());

test('what is pushed within a frame comes in one piece', () => {
  const box = inbox();
  box.open([]);
  box.add([block(1)]);
  box.add([block(2), block(3)]);
  expect(frames).toHaveLength(1);
  nextFrame();
  box.add([block(4)]);
  nextFrame();
  expect(got).toEqual([[], [block(1), block(2), block(3)], [block(4)]]);
});

test('pushes wait for what was told before them, and are not told twice', () => {
  const box = inbox();
  box.add([block(2), block(3)]);
  expect(frames).toEqual([]);
  box.open([block(1), block(2)]);
  expect(got).toEqual([[block(1), block(2)], [block(3)]]);
  box.add([block(1), block(4)]);
  nextFrame();
  expect(got.at(-1)).toEqual([block(4)]);
});

test('while no frame is drawn only the newest progress is kept, and everything else', () => {
  const box = inbox();
  box.open([]);
  for (const second of [1, 2, 3]) box.add([progress(second), block(second)]);
  nextFrame();
  expect(got.at(-1)).toEqual([block(1), block(2), progress(3), block(3)]);
});

test('a page that is left draws nothing more', () => {
  const box = inbox();
  box.open([]);
  box.add([block(1)]);
  box.close();
  nextFrame();
  expect(got).toEqual([[]]);
  const late = inbox();
  late.close();
  late.open([block(1)]);
  expect(got).toEqual([[]]);
});
