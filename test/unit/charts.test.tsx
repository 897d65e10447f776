import type { ReactElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, test } from 'vitest';

import type { ChartLayer } from '../../src/charts/data.ts';
import { ErrorChart } from '../../src/charts/error-chart.tsx';
import {
  bytes,
  duration,
  fixed,
  percent,
  perplexity,
  powerOfTen,
  significant,
  whole,
} from '../../src/contract/format.ts';
import { IterationsChart } from '../../src/charts/iterations-chart.tsx';
import { GroupChart } from '../../src/charts/group-chart.tsx';
import { LayerMap, layerMapRange, type LayerMapValue } from '../../src/charts/layer-map.tsx';
import { sequential, seriesStyle } from '../../src/charts/palette.ts';
import { ParetoChart, type ParetoPoint } from '../../src/charts/pareto-chart.tsx';
import { MeasureChart, type MeasureMark } from '../../src/charts/measure-chart.tsx';
import { SensitivityChart } from '../../src/charts/sensitivity-chart.tsx';
import { SparsityChart } from '../../src/charts/sparsity-chart.tsx';
import { admmReport, autoReport, llamaTypes, sampleReport } from '../fixtures/report.ts';

const small = sampleReport();
const large = sampleReport(96, llamaTypes);
const single = sampleReport(1);
const measured = autoReport();
const iterated = admmReport();
const maps: LayerMapValue[] = ['sparsity', 'bits', 'error', 'estimate', 'sensitivity', 'group'];
const draw = (chart: ReactElement): string => renderToStaticMarkup(chart);
const count = (svg: string, what: string | RegExp): number => svg.split(what).length - 1;

interface Mark {
  layer: string;
  x: number;
  y: number;
  shape: string;
  fill: string;
}

function marks(svg: string): Mark[] {
  const pattern = /<path data-layer="([^"]+)" d="([^"]+)" transform="translate\(([\d.-]+) ([\d.-]+)\)" fill="([^"]+)"/g;
  return [...svg.matchAll(pattern)].map(([, layer = '', shape = '', x, y, fill = '']) => ({
    layer,
    shape,
    x: Number(x),
    y: Number(y),
    fill,
  }));
}

/** A label of an axis as the reader sees it: a place along the axis, and the number written there. */
interface AxisLabel {
  at: number;
  value: number;
}

function axis(svg: string): AxisLabel[] {
  return [...svg.matchAll(/<text x="52" y="([\d.]+)" dy="0.35em" text-anchor="end">([^<]+)<\/text>/g)].map(
    ([, y, text = '']) => {
      const power = /^10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)$/.exec(text)?.[1];
      const digits = power?.replace('⁻', '-').replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]/g, (digit) => String('⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(digit)));
      const exponent = digits === undefined ? null : Number(digits);
      return { at: Number(y), value: exponent !== null ? 10 ** exponent : Number(text.replace('−', '-')) };
    },
  );
}

/** The labels of the level axis: `y` is that of all of them. */
function level(svg: string, y: number): AxisLabel[] {
  const pattern = new RegExp(`<text x="([\\d.]+)" y="${y}" text-anchor="middle">(−?[\\d.]+)<`, 'g');
  return [...svg.matchAll(pattern)].map(([, at, text = '']) => ({
    at: Number(at),
    value: Number(text.replace('−', '-')),
  }));
}

/** The value that a reader measures at a height. */
function readOff(svg: string, y: number, scale: 'linear' | 'log'): number {
  return between(axis(svg), y, scale);
}

/** The value at a place of an axis, from its first and last label. */
function between(labels: readonly AxisLabel[], place: number, scale: 'linear' | 'log'): number {
  const [a, b] = [labels[0], labels[labels.length - 1]];
  if (!a || !b || labels.length < 2) throw new Error('an axis with fewer than two labels');
  const share = (place - a.at) / (b.at - a.at);
  return scale === 'linear' ? a.value + share * (b.value - a.value) : a.value * (b.value / a.value) ** share;
}

describe('numbers', () => {
  test.each([
    [fixed(-1.025, 1), '−1.0'],
    [fixed(-0.001, 2), '0.00'],
    [percent(0.58123, 1), '58.1'],
    [significant(0, 3), '0'],
    [significant(0.0631, 2), '0.063'],
    [significant(0.000087062, 3), '8.71·10⁻⁵'],
    [significant(0.09999, 2), '0.10'],
    [significant(1234.5, 3), '1235'],
    [significant(4.2e12, 2), '4.2·10¹²'],
    [significant(-3.3e-9, 2), '−3.3·10⁻⁹'],
    [powerOfTen(-10), '10⁻¹⁰'],
    [bytes(0), '0 B'],
    [bytes(1023), '1023 B'],
    [bytes(17047264), '16.3 MiB'],
    [bytes(2 ** 40), '1.0 TiB'],
    [duration(8.44), '8.4 s'],
    [duration(59.97), '1 min 00 s'],
    [duration(8045), '2 h 14 min'],
    [whole(8523008), '8\u202f523\u202f008'],
    [whole(999), '999'],
    [perplexity(77.6398879881635), '77.64'],
    [perplexity(1234567), '1.23·10⁶'],
  ])('%s', (written, expected) => expect(written).toBe(expected));
});

describe('palette', () => {
  const channel = (value: number): number => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (colour: string): number => {
    const hex = colour === '#fff' ? '#ffffff' : colour === '#000' ? '#000000' : colour;
    const parts = hex.startsWith('#')
      ? [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16))
      : (hex.match(/\d+/g) ?? []).map(Number);
    const [r = 0, g = 0, b = 0] = parts.map((part) => channel(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string): number => {
    const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };

  test('text on every colour has the contrast of WCAG 2 AA', () => {
    const shades = [
      ...Array.from({ length: 1001 }, (_, i) => sequential(i / 1000)),
      ...Array.from({ length: 7 }, (_, i) => seriesStyle(i)),
    ];
    for (const { fill, text } of shades) expect(contrast(fill, text), fill).toBeGreaterThanOrEqual(4.5);
  });

  test('42 series differ in colour or shape, and neighbours in both', () => {
    const drawn = Array.from({ length: 42 }, (_, i) => seriesStyle(i));
    expect(new Set(drawn.map((style) => style.fill + style.path(40))).size).toBe(42);
    drawn.slice(1).forEach((style, i) => {
      expect(style.fill).not.toBe(drawn[i]?.fill);
      expect(style.path(40)).not.toBe(drawn[i]?.path(40));
    });
  });
});

describe('layer map', () => {
  test.each(maps)('has a cell for each layer, by %s', (colourBy) => {
    for (const { layers } of [small, large, single]) {
      const svg = draw(<LayerMap layers={layers} colourBy={colourBy} locale="en" />);
      for (const { name } of layers) expect(count(svg, `data-layer="${name}"`)).toBe(1);
      expect(count(svg, 'data-layer=')).toBe(layers.length);
    }
  });

  test('writes each value in its cell', () => {
    const svg = draw(<LayerMap layers={small.layers} colourBy="sparsity" locale="en" />);
    for (const { name, sparsity } of small.layers) {
      const cell = svg.split(`data-layer="${name}"`)[1]?.split('</g>')[0] ?? '';
      expect(cell).toMatch(new RegExp(`>${(sparsity * 100).toFixed(1)}</text>`));
    }
  });

  test('puts rows by block and columns by type, whatever the order of the layers', () => {
    const place = (svg: string): string[] => {
      const rows = svg.split('<g transform="translate(0 ').slice(1);
      return rows
        .flatMap((row) => {
          const cells = [...row.matchAll(/data-layer="([^"]+)".*?<rect x="([\d.]+)"/gs)];
          return cells.map((cell) => `${cell[1]} x ${cell[2]} y ${parseInt(row)}`);
        })
        .sort();
    };
    const forward = draw(<LayerMap layers={small.layers} colourBy="group" locale="en" />);
    const mixed = [...small.layers.slice(0, 6), ...small.layers.slice(6).reverse()];
    const shuffled = draw(<LayerMap layers={mixed} colourBy="group" locale="en" />);
    expect(place(shuffled)).toEqual(place(forward));
    expect(place(forward)).toHaveLength(48);
  });

  test('bits stand in their cells; a layer without is not quantized once it is finished, and not measured before', () => {
    const given = [4, 8, null, 3, 2];
    const layers: ChartLayer[] = small.layers.map((layer, i) => ({
      ...layer,
      bits: given[i % 5] ?? null,
      sparsity: i < 5 ? null : layer.sparsity,
    }));
    const svg = draw(<LayerMap layers={layers} colourBy="bits" locale="en" />);
    const cells = layers.map(({ name }) => svg.split(`data-layer="${name}"`)[1]?.split('</g>')[0] ?? '');
    cells.forEach((cell, i) => expect(cell).toContain(`>${given[i % 5] ?? '–'}</text>`));
    expect(count(svg, 'bits of a kept weight: not quantized')).toBe(
      layers.filter((_, i) => i % 5 === 2 && i >= 5).length,
    );
    expect(count(svg, 'bits of a kept weight: not measured')).toBe(1);
    const fills = new Map(cells.map((cell, i) => [given[i % 5], /fill="([^"]+)"/.exec(cell)?.[1]]));
    expect(new Set(fills.values()).size).toBe(5);
    const legend = svg.slice(svg.lastIndexOf('</title>'));
    expect([...legend.matchAll(/>(\d)<\/text>/g)].map(([, bits]) => Number(bits)).slice(-4)).toEqual([2, 3, 4, 8]);
  });

  test('marks what is not measured with a dash, not with a colour', () => {
    const layers: ChartLayer[] = small.layers.map((layer, i) => (i < 20 ? layer : { ...layer, sparsity: null }));
    const svg = draw(<LayerMap layers={layers} colourBy="sparsity" locale="en" />);
    expect(count(svg, '>–</text>')).toBe(28);
    expect(count(svg, 'stroke-dasharray="2 2"')).toBe(28);
    expect(count(svg, 'not measured')).toBe(28);
  });

  test('colours one value alike and different values differently', () => {
    const svg = draw(<LayerMap layers={small.layers} colourBy="group" locale="en" />);
    const seen = [...svg.matchAll(/data-layer="([^"]+)".*?fill="(#\w+)"/gs)].map(([, name, fill]) => {
      return `${small.layers.find((layer) => layer.name === name)?.group} ${fill}`;
    });
    expect(new Set(seen).size).toBe(3);
  });
});

describe('layer maps side by side', () => {
  const fills = (svg: string): string[] =>
    [...svg.matchAll(/data-layer=.*?<rect [^>]*fill="([^"]+)"/gs)].map(([, fill = '']) => fill);
  const worse = small.layers.map((layer) => ({ ...layer, error: 10 * (layer.error ?? 0) }));

  test('share their colours: the same value has the same colour in both', () => {
    const range = layerMapRange('error', [...small.layers, ...worse]);
    const below = small.layers.map((layer) => ({ ...layer, error: (layer.error ?? 0) / 1000 }));
    const map = (layers: readonly ChartLayer[]): string[] =>
      fills(draw(<LayerMap layers={layers} colourBy="error" range={range} locale="en" />));
    expect(map(worse.map((layer) => ({ ...layer, error: layer.error / 10 })))).toEqual(map(small.layers));
    expect(map(worse)).not.toEqual(map(small.layers));
    expect(new Set(map(below)).size).toBe(1);
    expect(fills(draw(<LayerMap layers={worse} colourBy="error" locale="en" />))).toEqual(
      fills(draw(<LayerMap layers={small.layers} colourBy="error" locale="en" />)),
    );
  });

  test('sparsities and groups have one scale anyway', () => {
    expect([layerMapRange('sparsity', worse), layerMapRange('group', worse)]).toEqual([null, null]);
  });
});

describe('charts of runs', () => {
  const sample = { dataset: 'held-out', seqlen: 256, windows: 64 };
  const marks: MeasureMark[] = [
    { key: 'dense', name: 'dense', value: 77.64, series: 6, isMain: false },
    { key: 'a', name: 'run a', value: 91.03, series: 0, isMain: true },
    { key: 'b', name: 'run <b>', value: 431.2, series: 1, isMain: false },
    { key: 'c', name: 'run c', value: 1234567, series: 1, isMain: false },
  ];
  test.each([2, 3])('the perplexity chart puts %i marks at their value on a log axis, in order', (count) => {
    const shown = marks.slice(0, count);
    const svg = draw(<MeasureChart measure="perplexity" sample={sample} marks={shown} locale="en" />);
    const rows = svg.split('data-measured="').slice(1);
    expect(rows.map((row) => row.split('"')[0])).toEqual(shown.map((mark) => mark.key));
    const axisLabels = level(svg, 8 + 22 * count + 15);
    rows.forEach((row, i) => {
      const x = Number(/<path [^>]*transform="translate\(([\d.]+) 0\)"/.exec(row)?.[1]);
      const value = between(axisLabels, x, 'log');
      expect(value / (shown[i]?.value ?? NaN)).toBeCloseTo(1, 2);
      expect(row).toContain(`>${shown[i]?.value.toFixed(2)}</text>`);
    });
    expect(svg).toContain('held-out, seqlen 256, 64 windows');
    expect(svg).not.toContain('<b>');
  });

  const points: ParetoPoint[] = [
    { id: 'a', name: 'a', modelName: 'one', sparsity: 0.5, nonZeroBytes: 9 * 2 ** 20, value: 80 },
    { id: 'b', name: 'b', modelName: 'one', sparsity: 0.6, nonZeroBytes: 7 * 2 ** 20, value: 90 },
    { id: 'c', name: 'c', modelName: 'one', sparsity: 0.6, nonZeroBytes: 8 * 2 ** 20, value: 95 },
    { id: 'd', name: 'd', modelName: 'one', sparsity: 0.7, nonZeroBytes: 5 * 2 ** 20, value: 200 },
    { id: 'e', name: 'e', modelName: 'two', sparsity: 0.7, nonZeroBytes: 4 * 2 ** 20, value: 60 },
  ];
  const chart = (some: readonly ParetoPoint[], selected: string[] = []): string =>
    draw(<ParetoChart measure="perplexity" sample={sample} points={some} selected={new Set(selected)} locale="en" />);
  const runMarks = (svg: string): { id: string; x: number; y: number }[] =>
    [...svg.matchAll(/data-run="(\w+)" transform="translate\(([\d.]+) ([\d.]+)\)"/g)].map(([, id = '', x, y]) => ({
      id,
      x: Number(x),
      y: Number(y),
    }));

  test('the scatter puts every run at its size and perplexity', () => {
    const svg = chart(points);
    const sizes = level(svg, 231);
    const drawn = runMarks(svg);
    expect(drawn.map((mark) => mark.id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    drawn.forEach(({ x, y }, i) => {
      expect(between(sizes, x, 'linear')).toBeCloseTo((points[i]?.nonZeroBytes ?? NaN) / 2 ** 20, 1);
      expect(readOff(svg, y, 'log') / (points[i]?.value ?? NaN)).toBeCloseTo(1, 1);
    });
    expect(svg).toContain('packed weights, MiB');
    expect(svg).toContain('held-out, seqlen 256, 64 windows');
  });

  test('the front goes down through the runs of a model that none betters, and never joins two models', () => {
    const svg = chart(points);
    const lines = [...svg.matchAll(/<path d="(M[^"]*)" fill="none"/g)].map(([, d = '']) => d);
    const at = (id: string): string => {
      const mark = runMarks(svg).find((one) => one.id === id);
      return `${mark?.x},${mark?.y}`;
    };
    expect(lines).toHaveLength(2);
    const corners = (lines[0] ?? '').slice(1).split('L');
    for (const id of ['a', 'b', 'd']) expect(corners).toContain(at(id));
    for (const id of ['c', 'e']) expect(corners).not.toContain(at(id));
    expect(corners[0]).toBe(at('d'));
  });

  test('selected runs are ringed', () => {
    expect(count(chart(points, ['b', 'd', 'gone']), '<circle')).toBe(2);
  });

  test.each([0, 1, 2])('draws %i runs with finite numbers', (some) => {
    for (const svg of [
      chart(points.slice(0, some)),
      chart(points.slice(0, some).map((point) => ({ ...point, nonZeroBytes: 0, value: 1 }))),
      draw(<MeasureChart measure="perplexity" sample={sample} marks={marks.slice(0, some)} locale="zh-TW" />),
    ]) {
      expect(svg).toMatch(/^<svg role="img" aria-label="[^"]{4,}" viewBox=/);
      expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
    }
  });
});

describe('charts over the layers', () => {
  test('the group chart puts every layer at its log10 estimate, in order', () => {
    for (const { layers, centroids } of [small, large]) {
      const svg = draw(<GroupChart layers={layers} centroids={centroids} locale="en" />);
      const drawn = marks(svg);
      expect(drawn.map((mark) => mark.layer)).toEqual(layers.map((layer) => layer.name));
      drawn.forEach((mark, i) => {
        expect(readOff(svg, mark.y, 'linear')).toBeCloseTo(Math.log10(layers[i]?.estimate ?? NaN), 2);
        if (i > 0) expect(mark.x).toBeGreaterThan(drawn[i - 1]?.x ?? NaN);
      });
    }
  });

  test('groups differ in shape and colour, and each centroid has its line and its sparsity', () => {
    const svg = draw(<GroupChart layers={small.layers} centroids={small.centroids} locale="en" />);
    const looks = marks(svg).map((mark, i) => ({ ...mark, group: small.layers[i]?.group }));
    expect(new Set(looks.map(({ group, shape }) => `${group} ${shape}`)).size).toBe(3);
    expect(new Set(looks.map(({ group, fill }) => `${group} ${fill}`)).size).toBe(3);
    for (const { group, log10, sparsity } of small.centroids) {
      const y = Number(new RegExp(`data-centroid="${group}"[^>]* y1="([\\d.]+)"`).exec(svg)?.[1]);
      expect(readOff(svg, y, 'linear')).toBeCloseTo(log10, 2);
      expect(svg).toContain(`>group ${group}: ${(100 * sparsity).toFixed(1)} %</text>`);
    }
  });

  test('more groups than can be told apart are drawn alike', () => {
    const centroids = Array.from({ length: 13 }, (_, group) => ({
      group,
      log10: -group / 6,
      sparsity: 0.5,
      layers: 1,
    }));
    const layers = small.layers.map((layer, i) => ({ ...layer, group: i % 13 }));
    const svg = draw(<GroupChart layers={layers} centroids={centroids} locale="en" />);
    expect(new Set(marks(svg).map((mark) => mark.shape)).size).toBe(1);
    expect(count(svg, 'data-centroid=')).toBe(0);
    expect(svg).toContain('group 12');
  });

  test('the sparsity chart lays runs over each other, by name', () => {
    const uniform = [...small.layers].reverse().map((layer, i) => ({ ...layer, sparsity: i / 100 }));
    const runs = [
      { name: 'scheduled', layers: small.layers },
      { name: 'uniform', layers: uniform },
    ];
    const svg = draw(<SparsityChart runs={runs} target={0.7} locale="en" />);
    const drawn = marks(svg);
    expect(drawn).toHaveLength(96);
    drawn.forEach((mark, i) => {
      const source = i < 48 ? small.layers : uniform;
      expect(readOff(svg, mark.y, 'linear') / 100).toBeCloseTo(
        source.find(({ name }) => name === mark.layer)?.sparsity ?? NaN,
        3,
      );
      expect(mark.x).toBe(drawn[i % 48]?.x);
    });
    expect(new Set(drawn.map((mark) => mark.shape)).size).toBe(2);
    expect(svg).toContain('>target 70.0 %</text>');
    expect(svg).toMatch(/>scheduled<\/text>.*>uniform<\/text>/);
  });

  test('the error chart puts every layer at its error on a log axis, a shape a type', () => {
    for (const spread of [0.2, 1, 3]) {
      const layers = small.layers.map((layer) => ({ ...layer, error: (layer.error ?? 0) ** spread }));
      const svg = draw(<ErrorChart layers={layers} locale="en" />);
      const drawn = marks(svg);
      expect(drawn).toHaveLength(48);
      drawn.forEach((mark, i) => {
        const ratio = readOff(svg, mark.y, 'log') / (layers[i]?.error ?? NaN);
        expect(Math.abs(Math.log10(ratio))).toBeLessThan(0.02);
      });
      expect(new Set(drawn.map((mark) => mark.shape)).size).toBe(6);
    }
    expect(marks(draw(<ErrorChart layers={large.layers} locale="en" />))).toHaveLength(672);
  });

  test('a layer whose value is zero stays on the chart, hollow, and says so', () => {
    const layers = small.layers.map((layer, i) => (i === 7 ? { ...layer, error: 0, estimate: 0 } : layer));
    for (const chart of [
      <ErrorChart layers={layers} locale="en" />,
      <GroupChart layers={layers} centroids={small.centroids} locale="en" />,
    ]) {
      const hollow = marks(draw(chart)).filter((mark) => mark.fill === 'none');
      expect(hollow.map((mark) => mark.layer)).toEqual([layers[7]?.name]);
      expect(draw(chart)).toContain('the value is 0');
    }
  });
});

describe('iterations', () => {
  /** The labels of the two upright axes, by the plot that they are beside. */
  const axesOf = (svg: string): { errors: AxisLabel[]; changes: AxisLabel[] } => {
    const all = axis(svg);
    return { errors: all.filter(({ at }) => at < 140), changes: all.filter(({ at }) => at > 140) };
  };

  test('of one layer: every error and change at its place, the iterations from left to right', () => {
    for (const layer of iterated.layers.slice(0, 6)) {
      const svg = draw(<IterationsChart layers={[layer]} locale="en" />);
      const { errors, changes } = axesOf(svg);
      const drawn = marks(svg);
      expect(drawn).toHaveLength(2 * 28);
      layer.iterations?.forEach(({ changed, error }, i) => {
        const [above, below] = [drawn[i], drawn[28 + i]];
        if (error > 0) expect(between(errors, above?.y ?? NaN, 'log') / error).toBeCloseTo(1, 1);
        expect(above?.fill === 'none').toBe(error === 0);
        expect(between(changes, below?.y ?? NaN, 'linear') / 100).toBeCloseTo(changed, 2);
        expect(between(level(svg, 231), above?.x ?? NaN, 'linear')).toBeCloseTo(i + 1, 1);
        expect(below?.x).toBe(above?.x);
      });
      expect(svg).toContain('width="380"');
      expect(svg).toContain('changed 0.00 % of the weights that are kept');
    }
  });

  test('of several layers: a curve a type, at the medians of its layers', () => {
    const svg = draw(<IterationsChart layers={iterated.layers} locale="en" />);
    const drawn = marks(svg);
    expect(drawn).toHaveLength(6 * 2 * 28);
    expect(new Set(drawn.map(({ layer }) => layer)).size).toBe(6);
    const { errors } = axesOf(svg);
    const type = drawn[0]?.layer;
    const ofType = iterated.layers.filter((layer) => layer.type === type);
    for (const i of [1, 13, 27]) {
      const sorted = ofType.map(({ iterations }) => iterations?.[i]?.error ?? NaN).sort((a, b) => a - b);
      const median = ((sorted[3] ?? NaN) + (sorted[4] ?? NaN)) / 2;
      expect(between(errors, drawn[i]?.y ?? NaN, 'log') / median).toBeCloseTo(1, 1);
    }
  });

  test('layers that were not iterated over are left out', () => {
    const some = iterated.layers.map((layer, i) => (i % 6 === 2 ? { ...layer, iterations: null } : layer));
    const svg = draw(<IterationsChart layers={some} locale="en" />);
    expect(new Set(marks(svg).map(({ layer }) => layer)).size).toBe(5);
    expect(svg).toContain('40 layers, 28 iterations');
  });
});

describe('estimates against sensitivities', () => {
  const chart = (layers: readonly ChartLayer[], centroids = measured.centroids): string =>
    draw(<SensitivityChart layers={layers} centroids={centroids} locale="en" />);

  test('every layer is at its log10 estimate and log10 sensitivity a weight, a shape a type', () => {
    for (const { layers } of [measured, autoReport(48, llamaTypes)]) {
      const svg = chart(layers);
      const drawn = marks(svg);
      expect(drawn.map(({ layer }) => layer)).toEqual(layers.map(({ name }) => name));
      drawn.forEach(({ x, y }, i) => {
        const { estimate, sensitivity, rows = 0, cols = 0 } = layers[i] ?? {};
        expect(between(level(svg, 231), x, 'linear')).toBeCloseTo(Math.log10(estimate ?? NaN), 2);
        expect(readOff(svg, y, 'linear')).toBeCloseTo(Math.log10((sensitivity ?? NaN) / (rows * cols)), 2);
      });
      const types = new Set(layers.map(({ type }) => type));
      const looks = drawn.map(({ shape }, i) => `${layers[i]?.type} ${shape}`);
      expect(new Set(looks).size).toBe(types.size);
      expect(new Set(drawn.map(({ shape, fill }) => shape + fill)).size).toBe(types.size);
    }
  });

  test('a title names the layer and both values, the axes what they show', () => {
    const layers = measured.layers.map((layer) => ({ ...layer, estimate: 0.25, sensitivity: 0.0131072 }));
    const svg = chart(layers);
    expect(svg).toContain(
      `<title>${layers[0]?.name}\nestimate 0.250\nsensitivity 0.0131 nats a token, 2.00·10⁻⁷ a weight</title>`,
    );
    expect(svg).toContain('>log₁₀ estimate</text>');
    expect(svg).toContain('>log₁₀ sensitivity a weight</text>');
  });

  test('a value of zero is hollow at the edge, and a layer of which one is not known is left out', () => {
    const change = new Map<number, Partial<ChartLayer>>([
      [3, { estimate: 0 }],
      [7, { sensitivity: 0 }],
      [11, { sensitivity: null }],
      [12, { estimate: null }],
    ]);
    const layers = measured.layers.map((layer, i) => ({ ...layer, ...change.get(i) }));
    const svg = chart(layers);
    const drawn = marks(svg);
    expect(drawn).toHaveLength(46);
    const hollow = drawn.filter(({ fill }) => fill === 'none');
    expect(hollow.map(({ layer }) => layer)).toEqual([layers[3]?.name, layers[7]?.name]);
    expect(hollow[0]?.x).toBe(Math.min(...drawn.map(({ x }) => x)));
    expect(hollow[1]?.y).toBe(Math.max(...drawn.map(({ y }) => y)));
    expect(count(svg, 'a value is 0')).toBe(2);
  });

  test('groups of sensitivities have a line at their centroid', () => {
    const centroids = [-7.4, -6.2].map((log10, group) => ({ group, log10, sparsity: 0.7, layers: 24 }));
    const svg = chart(measured.layers, centroids);
    for (const { group, log10 } of centroids) {
      const y = Number(new RegExp(`data-centroid="${group}"[^>]* y1="([\\d.]+)"`).exec(svg)?.[1]);
      expect(readOff(svg, y, 'linear')).toBeCloseTo(log10, 2);
    }
    expect(svg).toContain('centroid of group 1: log₁₀ sensitivity a weight −6.20, sparsity 70.0 %, layers: 24');
  });

  test('the layer map writes log10 of the sensitivity in each cell', () => {
    const svg = draw(<LayerMap layers={measured.layers} colourBy="sensitivity" locale="en" />);
    for (const { name, sensitivity } of measured.layers) {
      const cell = svg.split(`data-layer="${name}"`)[1]?.split('</g>')[0] ?? '';
      expect(cell).toContain(
        `>${Math.log10(sensitivity ?? NaN)
          .toFixed(2)
          .replace('-', '−')}</text>`,
      );
    }
  });
});

describe('every chart', () => {
  const unknown: ChartLayer[] = small.layers.map((layer) => ({
    ...layer,
    sparsity: null,
    error: null,
    estimate: null,
    group: null,
  }));
  const alike: ChartLayer[] = small.layers.map((layer) => ({
    ...layer,
    sparsity: 0.5,
    error: 0.1,
    estimate: 0.1,
    sensitivity: 0.1,
    group: 0,
  }));
  const zero: ChartLayer[] = small.layers.map((layer) => ({
    ...layer,
    sparsity: 0,
    error: 0,
    estimate: 0,
    sensitivity: 0,
    iterations: [{ changed: 0, error: 0 }],
  }));
  const cases: [string, readonly ChartLayer[]][] = [
    ['no layer', []],
    ['one layer', small.layers.slice(0, 1)],
    ['nothing known', unknown],
    ['all alike', alike],
    ['all zero', zero],
    ['96 blocks of 7', large.layers],
    ['sensitivities', measured.layers],
    ['iterations', iterated.layers],
    ['iterations of one layer', iterated.layers.slice(0, 1)],
  ];
  const charts = (layers: readonly ChartLayer[], locale: 'en' | 'zh-TW'): ReactElement[] => [
    ...maps.map((colourBy) => <LayerMap layers={layers} colourBy={colourBy} locale={locale} />),
    <GroupChart layers={layers} centroids={[]} locale={locale} />,
    <SparsityChart runs={[{ name: 'run', layers }]} target={null} locale={locale} />,
    <ErrorChart layers={layers} locale={locale} />,
    <SensitivityChart layers={layers} centroids={[]} locale={locale} />,
    <IterationsChart layers={layers} locale={locale} />,
  ];

  test.each(cases)('draws %s: finite numbers, every mark with a title, a name for screen readers', (_, layers) => {
    for (const chart of [...charts(layers, 'en'), ...charts(layers, 'zh-TW')]) {
      const svg = draw(chart);
      expect(svg).toMatch(/^<svg role="img" aria-label="[^"]{4,}" viewBox=/);
      expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
      expect(count(svg, /<(?:path|g) data-layer="[^>]*>(?:<title>)/)).toBe(count(svg, 'data-layer='));
      expect(svg).not.toMatch(/(?:axis|chart)\.[a-z]/);
    }
  });

  test('names its axes with their units', () => {
    const axes = [/log₁₀ estimate/, /sparsity, %/, /relative output error/];
    charts(small.layers, 'en')
      .slice(maps.length, -2)
      .forEach((chart, i) => {
        expect(draw(chart)).toMatch(axes[i] ?? /never/);
        expect(draw(chart)).toContain('layers in order, marked at their block');
      });
  });

  test('does not let a layer name into the markup', () => {
    const hostile = small.layers.map((layer, i) => ({
      ...layer,
      name: `${i}"><script>alert(1)</script>`,
      type: `<b>${layer.type}`,
    }));
    for (const chart of charts(hostile, 'en')) expect(draw(chart)).not.toMatch(/<script|<b>/);
  });
});
