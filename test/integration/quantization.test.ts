import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Report } from '../../src/contract/report.ts';
import { numbersOf, readFile, readTensors, type ReadTensor } from '../fixtures/read-safetensors.ts';
import { layerNames, writeTinyOpt } from '../fixtures/tiny-opt.ts';
import { readReportOf, refusal, succeed, tamis, tinyFolder, type Tiny } from './helpers.ts';

let tiny: Tiny;
let count = 0;

beforeAll(() => {
  tiny = tinyFolder('quantization');
});
afterAll(() => {
  tiny.remove();
});

interface Run {
  report: Report;
  weights: Map<string, ReadTensor>;
  /** Of all blocks. */
  scales: Map<string, ReadTensor>;
}

async function run(model: string, ...flags: string[]): Promise<Run> {
  const out = tiny.file(`out-${++count}`);
  await succeed(['compress', model, '--out', out, ...tiny.data, ...flags], tiny);
  const folder = join(out, 'quantization');
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  expect(files).toEqual(files.map((_, block) => `block-${String(block).padStart(4, '0')}.safetensors`));
  const scales = new Map(files.flatMap((file) => [...readFile(join(folder, file))]));
  return { report: readReportOf(out), weights: readTensors(out), scales };
}

function tensor(tensors: ReadonlyMap<string, ReadTensor>, name: string): ReadTensor {
  const found = tensors.get(name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

const rounding: Readonly<Record<string, (x: number) => number>> = {
  F16: Math.f16round,
  F32: Math.fround,
  BF16: (x) => {
    const bits = new Uint32Array(new Float32Array([x]).buffer)[0] ?? NaN;
    const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
    return new Float32Array(new Uint32Array([rounded]).buffer)[0] ?? NaN;
  },
};

interface Expected {
  bits: number;
  groupSize: number | null;
  symmetric: boolean;
  scattered: boolean;
}

/** Every weight of a layer is exactly that of a code of its group, zeros that of the zero point; returns the codes in use. */
function codesOf({ weights, scales }: Run, layer: string, expected: Expected): Set<number> {
  const weight = tensor(weights, `${layer}.weight`);
  const [rows = 0, cols = 0] = weight.shape;
  const groups = expected.groupSize === null ? 1 : Math.ceil(cols / expected.groupSize);
  const scale = tensor(scales, `${layer}.scales`);
  expect([scale.dtype, ...scale.shape]).toEqual(['F16', rows, groups]);
  expect(scales.has(`${layer}.zeros`)).toBe(!expected.symmetric);
  expect(scales.has(`${layer}.g_idx`)).toBe(expected.scattered && groups > 1);
  const scaleOf = numbersOf(scale);
  const zeros = expected.symmetric ? null : tensor(scales, `${layer}.zeros`);
  if (zeros) expect([zeros.dtype, ...zeros.shape]).toEqual(['U8', rows, groups]);
  const groupOf = scattered(scales, layer, cols) ?? Array.from({ length: cols }, (_, col) => groupAt(col, expected));
  const most = 2 ** expected.bits - 1;
  const round = rounding[weight.dtype];
  const used = new Set<number>();
  const values = numbersOf(weight);
  for (const [index, w] of values.entries()) {
    const at = Math.floor(index / cols) * groups + (groupOf[index % cols] ?? NaN);
    const step = scaleOf[at] ?? NaN;
    const zero = zeros ? (zeros.bytes[at] ?? NaN) : 2 ** (expected.bits - 1);
    const code = Math.round(w / step) + zero;
    const stored = round?.(Math.fround(step * (code - zero)));
    if (!(step >= 2 ** -24) || !(code >= 0 && code <= most) || stored !== w || Object.is(w, -0))
      throw new Error(`${layer}, weight ${index}: ${w} is not the value of a code (${code}, ${step}, ${zero})`);
    used.add(code);
  }
  return used;
}

function groupAt(col: number, { groupSize }: Expected): number {
  return groupSize === null ? 0 : Math.floor(col / groupSize);
}

/** The stored group of each column, groups of equal size but for the last; null where none is stored. */
function scattered(scales: ReadonlyMap<string, ReadTensor>, layer: string, cols: number): number[] | null {
  const stored = scales.get(`${layer}.g_idx`);
  if (!stored) return null;
  expect([stored.dtype, ...stored.shape]).toEqual(['I32', cols]);
  return Array.from({ length: cols }, (_, col) => stored.bytes.readInt32LE(4 * col));
}

const quantized = ({ report }: Run): [string, number][] =>
  report.layers.flatMap(({ name, bits }): [string, number][] => (bits === null ? [] : [[name, bits]]));

describe('what a quantized run stores', () => {
  test('act-order with scattered groups, other bits for some layers, none for others', async () => {
    const model = writeTinyOpt(tiny.file('half'), { dtype: 'F16' });
    const flags = ['--bits', '4', '--group-size', '32', '--act-order', '--scheduler', 'uniform', '--sparsity', '0.5'];
    const result = await run(model, ...flags, '--exception', '*.fc2=8', '--exception', '*.1.self_attn.*=none');
    const kept = layerNames().filter((name) => name.includes('.1.self_attn.'));
    expect(quantized(result).map(([name]) => name)).toHaveLength(layerNames().length - kept.length);
    for (const [name, bits] of quantized(result)) {
      expect(bits, name).toBe(name.endsWith('fc2') ? 8 : 4);
      const used = codesOf(result, name, { bits, groupSize: 32, symmetric: false, scattered: true });
      expect(used.size, name).toBeGreaterThan(8);
    }
    for (const name of kept) expect(result.scales.has(`${name}.scales`), name).toBe(false);
    for (const { name, sparsity, error } of result.report.layers) {
      expect(sparsity, name).toBeGreaterThan(0.49);
      expect(error, name).toBeLessThan(0.5);
    }
    const groups = scattered(result.scales, 'model.decoder.layers.0.fc2', 160) ?? [];
    expect([0, 1, 2, 3, 4].map((group) => groups.filter((each) => each === group).length)).toEqual([
      32, 32, 32, 32, 32,
    ]);
    expect(groups).not.toEqual(groups.toSorted((a, b) => a - b));
  });

  test('static groups stay neighbours; columns that are no multiple of the group are told', async () => {
    const model = writeTinyOpt(tiny.file('brain'), { dtype: 'BF16' });
    const flags = ['--bits', '3', '--group-size', '64', '--symmetric', '--act-order', '--static-groups'];
    const result = await run(model, ...flags, '--sparsity', '0', '--quantization-range', 'mse');
    for (const [name] of quantized(result))
      expect(codesOf(result, name, { bits: 3, groupSize: 64, symmetric: true, scattered: false }).size).toBeGreaterThan(
        4,
      );
    expect(quantized(result)).toHaveLength(layerNames().length);
    const told = result.report.warnings.filter(({ code }) => code === 'quantization.uneven-groups');
    expect(told.map(({ params }) => params)).toEqual([
      { layer: 'model.decoder.layers.0.fc2', cols: 160, groupSize: 64 },
    ]);
  });

  test('rounded to nearest per channel, the scales of the dense rows; n:m beside it', async () => {
    const flags = ['--method', 'magnitude', '--bits', '2', '--group-size', 'channel'];
    const result = await run(tiny.model, ...flags, '--sparsity', '0');
    const dense = readTensors(tiny.model);
    for (const [name] of quantized(result)) {
      codesOf(result, name, { bits: 2, groupSize: null, symmetric: false, scattered: false });
      const weight = tensor(dense, `${name}.weight`);
      const [, cols = 0] = weight.shape;
      const values = numbersOf(weight);
      const scales = numbersOf(tensor(result.scales, `${name}.scales`));
      for (const [row, scale] of scales.entries()) {
        const own = values.slice(row * cols, (row + 1) * cols);
        const range = Math.max(0, ...own) - Math.min(0, ...own);
        expect(scale).toBe(Math.f16round(Math.fround(Math.fround(range) / 3)));
      }
    }
    const pattern = await run(tiny.model, '--nm', '2:4', '--bits', '8', '--group-size', '32');
    for (const { name, sparsity } of pattern.report.layers) {
      codesOf(pattern, name, { bits: 8, groupSize: 32, symmetric: false, scattered: false });
      expect(sparsity, name).toBeGreaterThanOrEqual(0.5);
    }
  });

  test('nothing beside the shards where nothing is quantized', async () => {
    const result = await run(tiny.model, '--scheduler', 'uniform', '--bits', '4', '--exception', '*=none');
    expect(quantized(result)).toEqual([]);
    expect(result.scales.size).toBe(0);
  });
});

test('an exception that is no pattern with bits', async () => {
  const ended = await tamis(['compress', tiny.model, '--out', tiny.file('no'), '--exception', '*.fc2'], tiny);
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toContain('Give it as PATTERN=BITS');
  const unknown = await tamis(
    ['compress', tiny.model, '--out', tiny.file('no'), ...tiny.data, '--bits', '4', '--exception', 'x=5'],
    tiny,
  );
  expect(refusal(unknown)).toContain('quantization.exceptions');
});
