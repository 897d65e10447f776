import { describe, expect, test } from 'vitest';

import { nextRun } from '../../../src/renderer/pages/history/run-order.ts';
import { nextLayer } from '../../../src/renderer/run/layer-order.ts';
import { llamaTypes, sampleReport } from '../../fixtures/report.ts';

describe('arrow keys over layers', () => {
  const { layers } = sampleReport(3, llamaTypes);
  const name = (block: number, column: number): string => `model.decoder.layers.${block}.${llamaTypes[column]}`;
  const last = llamaTypes.length - 1;

  test.each([
    [null, 'down', name(0, 0)],
    [name(0, 0), 'right', name(0, 1)],
    [name(0, last), 'right', name(1, 0)],
    [name(1, 0), 'left', name(0, last)],
    [name(0, 2), 'down', name(1, 2)],
    [name(2, 4), 'up', name(1, 4)],
    [name(1, 3), 'first', name(0, 0)],
    [name(1, 3), 'last', name(2, last)],
  ] as const)('from %s %s', (from, move, to) => {
    expect(nextLayer(layers, from, move)).toBe(to);
  });

  test('stay on the map at its edges', () => {
    expect(nextLayer(layers, name(0, 0), 'left')).toBe(name(0, 0));
    expect(nextLayer(layers, name(0, 3), 'up')).toBe(name(0, 3));
    expect(nextLayer(layers, name(2, last), 'right')).toBe(name(2, last));
    expect(nextLayer(layers, name(2, 1), 'down')).toBe(name(2, 1));
    expect(nextLayer([], null, 'right')).toBeNull();
  });

  test('pass blocks where the type is missing', () => {
    const gaps = layers.filter((layer) => layer.name !== name(1, 2));
    expect(nextLayer(gaps, name(0, 2), 'down')).toBe(name(2, 2));
  });
});

describe('arrow keys over runs', () => {
  const run = (id: string, nonZeroBytes: number, value: number) => ({
    id,
    nonZeroBytes,
    value,
    name: id,
    modelName: 'm',
    dataset: 'd',
    seqlen: 1,
    windows: 1,
    sparsity: 0.5,
  });
  const points = [run('middle', 20, 90), run('small', 10, 100), run('large', 30, 95)];

  test('left and right go by size, up and down by the measure', () => {
    expect(nextRun(points, null, 'right')).toBe('small');
    expect(nextRun(points, 'small', 'right')).toBe('middle');
    expect(nextRun(points, 'middle', 'right')).toBe('large');
    expect(nextRun(points, 'large', 'right')).toBe('large');
    expect(nextRun(points, 'middle', 'left')).toBe('small');
    expect(nextRun(points, 'middle', 'up')).toBe('large');
    expect(nextRun(points, 'small', 'down')).toBe('large');
    expect(nextRun(points, 'large', 'first')).toBe('small');
    expect(nextRun(points, 'small', 'last')).toBe('large');
    expect(nextRun([], null, 'left')).toBeNull();
  });
});
