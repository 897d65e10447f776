import { beforeEach, describe, expect, test, vi } from 'vitest';

import { EngineProcess, type End, type Launch } from '../../../src/main/engine/process.ts';
import { LineDecoder } from '../../../src/main/engine/line-decoder.ts';
import { askAlone } from '../../../src/main/engine/service.ts';
import { children, type Child } from '../../fixtures/engine-children.ts';

vi.mock('electron', async () => (await import('../../fixtures/engine-children.ts')).electron);

const text = '剪枝, naïve 🌲: 警告\nsecond line\r\n\n第三行 without an end';
const lines = ['剪枝, naïve 🌲: 警告', 'second line', '第三行 without an end'];

describe('lines of a stream', () => {
  const bytes = Buffer.from(text);

  test('are the same wherever it is cut in two', () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const decoder = new LineDecoder();
      const got = [bytes.subarray(0, cut), bytes.subarray(cut)].flatMap((chunk) => decoder.write(chunk));
      expect([...got, ...decoder.end()]).toEqual(lines);
    }
  });

  test('are the same byte by byte', () => {
    const decoder = new LineDecoder();
    const got = [...bytes].flatMap((byte) => decoder.write(Buffer.of(byte)));
    expect([...got, ...decoder.end()]).toEqual(lines);
  });

  test('a character that the end cuts is said to be unreadable', () => {
    const decoder = new LineDecoder();
    expect(decoder.write(Buffer.from('a 剪').subarray(0, -1))).toEqual([]);
    expect(decoder.end()).toEqual(['a \u{fffd}']);
  });
});

describe('the log of a process', () => {
  let log: string[];
  const launch: Launch = { entry: '/engine.js', env: () => ({}), log: (line) => log.push(line) };

  beforeEach(() => {
    log = [];
    children.length = 0;
  });

  function start(purpose: string, onEnd: (end: End) => void = () => undefined): Child {
    new EngineProcess({ kind: 'resume', out: '/x' }, purpose, launch, { onWord: () => undefined, onEnd });
    return spawned();
  }

  function spawned(): Child {
    const child = children.at(-1) ?? expect.fail('no process');
    child.emit('spawn');
    return child;
  }

  const named = (purpose: string, line: string): unknown =>
    expect.stringMatching(
      new RegExp(`^${purpose} \\(tamis-engine-\\d+, process 4711\\): ${line.replace(/[.*+?()]/g, '\\$&')}$`, 'u'),
    );

  test('names the run and the process on each line, and keeps its two outputs apart', async () => {
    const child = start('run 17');
    const out = Buffer.from('剪枝\nof the output');
    child.stdout.write(out.subarray(0, 2));
    child.stderr.write(Buffer.from('警告: one\ntwo\n'));
    child.stdout.write(out.subarray(2));
    await vi.waitFor(() => expect(log).toHaveLength(3));
    expect(new Set(log)).toEqual(
      new Set([named('run 17', '剪枝'), named('run 17', '警告: one'), named('run 17', 'two')]),
    );
  });

  test('has the last words of a process that crashed in the middle of a line', async () => {
    const ended = new Promise<End>((resolve) => {
      const child = start('run 18', resolve);
      child.stderr.write('first\nhalf a ');
      child.stderr.write(Buffer.from('行'));
      child.exit(134);
      // What is read from the pipe after it has nobody who listens.
      setImmediate(() => {
        child.stderr.write('\nlast ');
        child.stderr.write('words');
      });
    });
    expect(await ended).toEqual({ kind: 'crashed', exitCode: 134 });
    expect(log).toEqual([named('run 18', 'first'), named('run 18', 'half a 行'), named('run 18', 'last words')]);
  });

  test('names the question of a process that answers one', async () => {
    const asked = askAlone(launch, 'versions', null);
    const child = spawned();
    child.stdout.write('loading\n');
    child.say({ kind: 'reply', id: 1, value: { onnxruntime: '1' } });
    expect(await asked).toEqual({ onnxruntime: '1' });
    await vi.waitFor(() => expect(log).toEqual([named('versions', 'loading')]));
  });
});
