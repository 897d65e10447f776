import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { tensorsOfShard } from '../../src/worker/compress/shards.ts';
import { openTensorFile } from '../../src/worker/native.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { batchSequences, openBlock, openEmbed } from '../../src/worker/runtime/forward.ts';
import { numbersOf, readTensors } from '../fixtures/read-safetensors.ts';
import { bitsOf, killed, readReportOf, refusal, succeed, tamis, tinyFolder, type Tiny } from './helpers.ts';

let tiny: Tiny;

beforeAll(() => {
  tiny = tinyFolder('dense-targets');
});
afterAll(() => {
  tiny.remove();
});

function compressInto(out: string, ...flags: string[]): string[] {
  return ['compress', tiny.model, '--out', out, ...tiny.data, ...flags];
}

const dense = ['--scheduler', 'uniform', '--targets', 'dense'];

type Matrix = readonly Float64Array[];

/** a b; a [m, k], b [k, n]. */
function product(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => {
    const out = new Float64Array(b[0]?.length ?? 0);
    row.forEach((value, k) => {
      b[k]?.forEach((other, j) => (out[j] = (out[j] ?? NaN) + value * other));
    });
    return out;
  });
}

/** scale xᵀ y; x and y row-major with as many tokens. */
function crossProduct(x: Float32Array, y: Float32Array, tokens: number, scale: number): Matrix {
  const [rows, cols] = [x.length / tokens, y.length / tokens];
  const sums = Array.from({ length: rows }, () => new Float64Array(cols));
  for (let token = 0; token < tokens; token++)
    sums.forEach((row, i) => {
      const value = scale * (x[token * rows + i] ?? NaN);
      for (let j = 0; j < cols; j++) row[j] = (row[j] ?? NaN) + value * (y[token * cols + j] ?? NaN);
    });
  return sums;
}

function plus(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((value, j) => value + (b[i]?.[j] ?? NaN)));
}

/** Sequences from one up to another. */
type Range = readonly [from: number, to: number];

/** Of each run of a graph the first sequences are of one half, the others of the other. */
function halvesOf(sequences: number, batch: number): [Range[], Range[]] {
  const halves: [Range[], Range[]] = [[], []];
  for (let first = 0; first < sequences; first += batch) {
    const count = Math.min(batch, sequences - first);
    const middle = first + Math.ceil(count / 2);
    halves[0].push([first, middle]);
    halves[1].push([middle, first + count]);
  }
  return halves;
}

/** What weights are moved by: of each column's drift as much as both halves agree on. */
function shiftOf([a, b]: [Matrix, Matrix], inverted: Matrix, share: number): Matrix {
  const [byA, byB] = [product(a, inverted), product(b, inverted)];
  const dot = (x?: Float64Array, y?: Float64Array): number =>
    x?.reduce((sum, value, j) => sum + value * (y?.[j] ?? NaN), 0) ?? NaN;
  return byA.map((row, i) => {
    const r = Math.max(0, (2 * dot(row, b[i])) / (dot(row, a[i]) + dot(byB[i], b[i])));
    return row.map((value, j) => ((share * 2 * r) / (1 + r)) * (value + (byB[i]?.[j] ?? NaN)) || 0);
  });
}

function minus(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((value, j) => value - (b[i]?.[j] ?? NaN)));
}

/** The inverse, by Gauss and Jordan. */
function inverse(a: Matrix): Matrix {
  const n = a.length;
  const rows = a.map((row, i) =>
    Float64Array.from({ length: 2 * n }, (_, j) => (j < n ? (row[j] ?? NaN) : +(j - n === i))),
  );
  rows.forEach((row, i) => {
    const pivot = row[i] ?? NaN;
    row.forEach((value, j) => (row[j] = value / pivot));
    rows.forEach((other, k) => {
      if (k === i) return;
      const factor = other[i] ?? NaN;
      other.forEach((value, j) => (other[j] = value - factor * (row[j] ?? NaN)));
    });
  });
  return rows.map((row) => row.slice(n));
}

/** tr(w h wᵀ) */
function energy(w: Matrix, h: Matrix): number {
  return product(w, h).reduce((sum, row, i) => sum + row.reduce((a, value, j) => a + value * (w[i]?.[j] ?? NaN), 0), 0);
}

function matrix(values: ArrayLike<number>, cols: number): Matrix {
  const rows = values.length / cols;
  return Array.from({ length: rows }, (_, i) =>
    Float64Array.from({ length: cols }, (_each, j) => values[i * cols + j] ?? NaN),
  );
}

/**
 * The errors that the layers of a run have by the definition, in float64: the inputs of the compressed stream are those that its own
 * shards give, up to each layer. `share`: how far the dense model's outputs are aimed at.
 */
async function errorsOf(run: string, share: number): Promise<Record<string, number>> {
  const model = await openModel(tiny.model);
  const { recipe } = readReportOf(run);
  const { sequences } = recipe.calibration;
  const ids = Int32Array.from(openTensorFile(tiny.file('calibration.safetensors')).readI64('tokens'));
  const seqlen = ids.length / sequences;
  const options = { device: 'cpu', threads: 1, seqlen } as const;
  const stored = readTensors(run);
  const original = readTensors(tiny.model);
  const errors: Record<string, number> = {};
  await using embed = await openEmbed(model, options);
  let ownInput = (await embed.run(ids)).slice();
  let compressed = ownInput;
  for (let block = 0; block < model.family.blocks; block++) {
    const total = String(model.family.blocks + 1).padStart(5, '0');
    const shard = join(run, `model-${String(block + 2).padStart(5, '0')}-of-${total}.safetensors`);
    const weights = await tensorsOfShard(shard);
    await using denseBlock = await openBlock(model, block, { ...options, taps: false, output: true });
    await using storedBlock = await openBlock(model, block, { ...options, weights, taps: true, output: true });
    const [x, y] = [await denseBlock.run(ownInput), await storedBlock.run(compressed)];
    for (const { name, tap, sum } of model.family.layers(block)) {
      const theirs = y.taps.get(tap) ?? new Float32Array();
      const cols = theirs.length / ids.length;
      // What has drifted: the layer's inputs, or what its dense weights still add to in both models.
      const drifted = async (input: Float32Array, stored: typeof weights): Promise<Float32Array> => {
        const dense = new Map([...stored].filter(([other]) => other !== `${name}.weight`));
        const named = sum ?? tap;
        await using partial = await openBlock(model, block, {
          ...options,
          weights: dense,
          taps: new Set([named]),
          output: false,
        });
        return (await partial.run(input)).taps.get(named)?.slice() ?? new Float32Array();
      };
      const [own, other] = [await drifted(ownInput, new Map()), await drifted(compressed, weights)];
      const difference = own.map((value, i) => value - (other[i] ?? NaN));
      const h = crossProduct(theirs, theirs, ids.length, 2 / sequences);
      const mean = h.reduce((total, row, i) => total + (row[i] ?? NaN), 0) / cols;
      const damped = h.map((row, i) => row.map((value, j) => value + (i === j ? recipe.percdamp * mean : 0)));
      const inverted = inverse(damped);
      const rows = (of: Float32Array, [from, to]: Range): Float32Array =>
        of.subarray((from * of.length) / sequences, (to * of.length) / sequences);
      const halves = halvesOf(sequences, batchSequences(seqlen)).map((ranges) =>
        ranges
          .map((range) => {
            const tokens = (range[1] - range[0]) * seqlen;
            return crossProduct(rows(difference, range), rows(theirs, range), tokens, 2 / sequences);
          })
          .reduce(plus),
      ) as [Matrix, Matrix];
      const shift = shiftOf(halves, inverted, share);
      const read = (tensors: typeof stored): Matrix => {
        const tensor = tensors.get(`${name}.weight`);
        if (tensor === undefined) throw new Error(`no ${name}`);
        return matrix(numbersOf(tensor), cols);
      };
      const w = read(original);
      const moved = sum === undefined ? product(w, shift) : shift;
      const target = w.map((row, i) => row.map((value, j) => value + (moved[i]?.[j] ?? NaN)));
      errors[name] = energy(minus(target, read(stored)), h) / energy(target, h);
    }
    ownInput = x.output?.slice() ?? ownInput;
    compressed = y.output?.slice() ?? compressed;
  }
  return errors;
}

/**
 * How far apart the distances to a layer's targets are, in shares of the targets. The sums of a drift are products in float32, whose
 * rounding the inverse Hessian enlarges; where one direction rules the inputs, what weights are moved by is then off by a few thousandths.
 */
const OFF = 3e-4;

function apartOf(error: number | null, expected = NaN): number {
  return Math.abs(Math.sqrt(error ?? NaN) - Math.sqrt(expected));
}

describe('dense targets', () => {
  test.each([['sparsegpt'], ['admm']])('%s: the errors of all layers are those of the definition', async (method) => {
    const out = tiny.file(method);
    await succeed(compressInto(out, ...dense, '--method', method, '--sparsity', '0.6'), tiny);
    const { layers } = readReportOf(out);
    const [expected, without] = [await errorsOf(out, 0.5), await errorsOf(out, 0)];
    let apart = 0;
    for (const { name, error } of layers) {
      expect(apartOf(error, expected[name]), name).toBeLessThan(OFF);
      apart = Math.max(apart, Math.abs((error ?? NaN) / (without[name] ?? NaN) - 1));
    }
    // The weights alone would have given others.
    expect(apart).toBeGreaterThan(0.05);
  });

  test('with 3 bits alone, by OPTQ, all the way', async () => {
    const out = tiny.file('bits');
    await succeed(compressInto(out, ...dense, '--dense-share', '1', '--sparsity', '0', '--bits', '3'), tiny);
    const expected = await errorsOf(out, 1);
    for (const { name, error } of readReportOf(out).layers)
      expect(apartOf(error, expected[name]), name).toBeLessThan(OFF);
  });

  test.each([
    ['before', 'rename state/block-0000.json', 1],
    ['after', 'open state/dense-0002.f32', 1],
    ['after', 'remove state/dense-0001.f32', 1],
    ['before', 'Gram.add', 9],
  ] as const)('killed %s %s %i: the same bits as without', async (when, moment, nth) => {
    const flags = [...dense, '--sparsity', '0.6', '--method', 'sparsegpt'];
    const whole = tiny.file('sparsegpt');
    const out = tiny.file(`killed-${moment.replace(/\W/g, '-')}`);
    await killed(compressInto(out, ...flags), tiny.cache, { when, moment, nth });
    await succeed(['resume', out], tiny);
    expect(bitsOf(out)).toEqual(bitsOf(whole));
  });

  test('are tried by auto with the schedule that it takes, and taken where they clearly do better', async () => {
    const out = tiny.file('auto');
    await succeed(compressInto(out, '--sparsity', '0.6', '--sequences', '64'), tiny);
    const { choice, recipe } = readReportOf(out);
    expect(recipe.layerTargets).toBe('auto');
    expect(choice?.candidates.map(({ targets }) => targets)).toEqual(['layer', 'layer', 'layer', 'dense']);
    const taken = choice?.candidates[choice.chosen];
    const fixed = tiny.file('fixed');
    const scheduler = taken?.range === null ? ['uniform'] : ['allocate', '--range', String(taken?.range)];
    const targets = ['--targets', taken?.targets ?? ''];
    await succeed(
      compressInto(fixed, '--sparsity', '0.6', '--sequences', '64', '--scheduler', ...scheduler, ...targets),
      tiny,
    );
    expect(shardsOf(out)).toEqual(shardsOf(fixed));
  });

  test('are refused of a method that looks at no data', async () => {
    const refused = await tamis(
      compressInto(tiny.file('none'), ...dense, '--method', 'magnitude', '--sparsity', '0.6'),
      tiny,
    );
    expect(refusal(refused)).toContain('dense');
  });
});

function shardsOf(run: string): Record<string, string> {
  return Object.fromEntries(
    [...readTensors(run)].map(([name, { bytes }]) => [name, Buffer.from(bytes).toString('base64')]),
  );
}
