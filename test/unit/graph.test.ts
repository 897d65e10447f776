import { mkdirSync, rmSync } from 'node:fs';

import { fromBinary } from '@bufbuild/protobuf';
import { Tensor } from 'onnxruntime-node';
import { ModelProtoSchema } from 'onnx-buf';
import { afterAll, describe, expect, test } from 'vitest';

import { GraphBuilder, type Value } from '../../src/worker/graph/builder.ts';
import { commonFolder } from '../../src/worker/graph/folder.ts';
import {
  activate,
  causalAttention,
  embedding,
  frequencies,
  layerNorm,
  linear,
  logSumExp,
  pick,
  rmsNorm,
  type Activation,
  type Attention,
} from '../../src/worker/graph/operations.ts';
import { windows } from '../../src/worker/graph/tokens.ts';
import { native, type TensorInfo } from '../../src/worker/native.ts';
import { Session } from '../../src/worker/runtime/session.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('graph');
afterAll(folder.remove);

/** Writes a .safetensors file and gives its tensors. */
function weightsIn(file: string, tensors: Parameters<typeof safetensors>[0]): Map<string, TensorInfo> {
  const path = folder.write(file, safetensors(tensors));
  return new Map(
    native.Checkpoint.openFile(path)
      .tensors()
      .map((info) => [info.name, info]),
  );
}

/** Builds a graph of one output `y` [size], runs it on the CPU and gives `y`. */
async function evaluate(
  weights: ReadonlyMap<string, TensorInfo>,
  build: (g: GraphBuilder) => Value,
  inputs: Record<string, Tensor>,
  size: readonly number[],
): Promise<number[]> {
  const g = new GraphBuilder(weights);
  g.output('y', build(g));
  await using session = await Session.open(g.build(), { device: 'cpu', threads: 1 });
  const y = new Float32Array(size.reduce((a, b) => a * b, 1));
  await session.run(inputs, { y: new Tensor('float32', y, [...size]) });
  return [...y];
}

/** Numbers of either sign with no pattern that an error could hide in. */
function values(count: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => scale * ((Math.sin(i * 12.9898 + seed) * 43758.5453) % 1));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (x, i) => Math.abs(x - (b[i] ?? NaN))).reduce((x, y) => Math.max(x, y), 0);
}

describe('weights', () => {
  const x = new Tensor('float32', new Float32Array([1, 10]), [1, 2]);

  test.each(['F32', 'F16', 'BF16'])('in %s are read from any offset, aligned or not', async (dtype) => {
    const offsets = new Set<number>();
    for (const pad of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const before = { dtype: 'U8', shape: [pad], data: new Uint8Array(pad).fill(0xff) };
      const weights = weightsIn(`${dtype}-${pad}.safetensors`, {
        before,
        w: { dtype, shape: [2, 2], data: [1, -2, 0.5, 4] },
      });
      offsets.add((weights.get('w')?.offset ?? 0) % 4);
      const y = await evaluate(weights, (g) => linear(g, g.input('x', 'float32', [1, 2]), 'w'), { x }, [1, 2]);
      expect(y).toEqual([-19, 40.5]);
    }
    expect(offsets.size).toBe(4);
  });

  test('come from files in different subfolders of one folder', async () => {
    const one = weightsIn('a/deep/one.safetensors', { w: { dtype: 'F32', shape: [2, 2], data: [1, 0, 0, 1] } });
    const two = weightsIn('b/two.safetensors', { b: { dtype: 'F16', shape: [2], data: [0.25, -3] } });
    const weights = new Map([...one, ...two]);
    const y = await evaluate(
      weights,
      (g) => linear(g, g.input('x', 'float32', [1, 2]), 'w', { bias: 'b' }),
      { x },
      [1, 2],
    );
    expect(y).toEqual([1.25, 7]);
  });

  test('can be a range of rows', async () => {
    const weights = weightsIn('rows.safetensors', {
      w: { dtype: 'F16', shape: [4, 2], data: [1, 1, 2, 0, 0, 3, 7, 7] },
    });
    const rows = { start: 1, end: 3 };
    const y = await evaluate(weights, (g) => linear(g, g.input('x', 'float32', [1, 2]), 'w', { rows }), { x }, [1, 2]);
    expect(y).toEqual([2, 30]);
  });

  test('of an embedding are looked up by id', async () => {
    const weights = weightsIn('table.safetensors', { w: { dtype: 'BF16', shape: [3, 2], data: [1, 2, 3, 4, 5, 6] } });
    const ids = new Tensor('int32', new Int32Array([2, 0]), [2]);
    expect(await evaluate(weights, (g) => embedding(g, 'w', g.input('ids', 'int32', [2])), { ids }, [2, 2])).toEqual([
      5, 6, 1, 2,
    ]);
  });
});

test('what no output needs is not in the graph', () => {
  const tensor = { dtype: 'F32', shape: [2, 2], data: [1, 2, 3, 4] };
  const g = new GraphBuilder(weightsIn('needed.safetensors', { first: tensor, second: tensor }));
  const tap = linear(g, g.input('x', 'float32', ['tokens', 2]), 'first');
  g.output('tap', tap);
  linear(g, tap, 'second');
  const graph = fromBinary(ModelProtoSchema, g.build().bytes).graph;
  expect(graph?.initializer.map(({ name }) => name)).toEqual(['first']);
  expect(graph?.node.map(({ opType }) => opType)).toEqual(['Gemm']);
});

test('an input and a value given out twice can be outputs too', async () => {
  const g = new GraphBuilder(new Map());
  const x = g.input('x', 'float32', [1, 2]);
  const sum = g.node('Add', [x, x]);
  g.output('same', x);
  g.output('one', sum);
  g.output('two', sum);
  g.output('more', g.node('Add', [sum, x]));
  await using session = await Session.open(g.build(), { device: 'cpu', threads: 1 });
  const outputs = Object.fromEntries(
    ['same', 'one', 'two', 'more'].map((name) => [name, new Tensor('float32', new Float32Array(2), [1, 2])]),
  );
  await session.run({ x: new Tensor('float32', new Float32Array([1, -4]), [1, 2]) }, outputs);
  expect(Object.values(outputs).map(({ data }) => [...data])).toEqual([
    [1, -4],
    [2, -8],
    [2, -8],
    [3, -12],
  ]);
});

test('the folder of the external data is the deepest that holds all files', () => {
  expect(commonFolder(['/a/b/c/x', '/a/b/d/y'])).toBe('/a/b');
  expect(commonFolder(['/a/b/x', '/a/b/c/y'])).toBe('/a/b');
  expect(commonFolder(['/a/bc/x', '/a/b/y'])).toBe('/a');
  expect(commonFolder(['/a/..b/x', '/a/y'])).toBe('/a');
  expect(commonFolder(['/a/x', '/b/y'])).toBe('/');
});

test('a weight outside the folder is refused, not read', async () => {
  const weights = weightsIn('inside/w.safetensors', { w: { dtype: 'F32', shape: [1, 1], data: [1] } });
  const g = new GraphBuilder(weights);
  g.output('y', linear(g, g.input('x', 'float32', [1, 1]), 'w'));
  const { bytes } = g.build();
  mkdirSync(`${folder.path}/elsewhere`, { recursive: true });
  await expect(
    Session.open({ bytes, folder: `${folder.path}/elsewhere` }, { device: 'cpu', threads: 1 }),
  ).rejects.toThrow('device.failed');
  rmSync(`${folder.path}/elsewhere`, { recursive: true });
});

const slopes = new Float32Array([0.25, 0.0625, 0.5]);
// 300 tokens: two tiles of queries and a part of a third.
test.each<[number, number, Pick<Attention, 'scale' | 'softcap' | 'window' | 'slopes'>]>([
  [1, 3, {}],
  [7, 3, {}],
  [128, 3, {}],
  [129, 3, {}],
  [300, 3, {}],
  [7, 1, {}],
  [300, 1, {}],
  [300, 3, { scale: 0.3 }],
  [300, 3, { softcap: 1.5 }],
  [300, 1, { window: 5 }],
  [300, 3, { window: 200 }],
  [300, 3, { slopes }],
  [300, 3, { scale: 0.7, softcap: 2, window: 140, slopes }],
])('causal attention over %i tokens with %i heads of keys and %o', async (seqlen, kvHeads, extras) => {
  const [sequences, heads, size] = [2, 3, 4];
  const tokens = sequences * seqlen;
  const [width, kvWidth] = [heads * size, kvHeads * size];
  const [q, k, v] = [
    values(tokens * width, 1, 3),
    values(tokens * kvWidth, 2, 3),
    values(tokens * kvWidth, 3),
  ] as const;
  const tensor = (x: Float32Array): Tensor => new Tensor('float32', x, [tokens, x.length / tokens]);
  const y = await evaluate(
    new Map(),
    (g) => {
      const input = (name: string, size: number): Value => g.input(name, 'float32', ['tokens', size]);
      const qkv = [input('q', width), input('k', kvWidth), input('v', kvWidth)] as const;
      return causalAttention(g, qkv, { heads, kvHeads, size, ...extras }, seqlen);
    },
    { q: tensor(q), k: tensor(k), v: tensor(v) },
    [tokens, width],
  );
  const expected = naiveAttention(q, k, v, { sequences, seqlen, heads, kvHeads, size, ...extras });
  expect(largestDifference(y, expected)).toBeLessThan(2e-6);
});

/** One token, head and entry after another, in float64. */
function naiveAttention(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  shape: Attention & { sequences: number; seqlen: number },
): Float64Array {
  const {
    sequences,
    seqlen,
    heads,
    kvHeads,
    size,
    scale = 1 / Math.sqrt(size),
    softcap,
    window = Infinity,
    slopes,
  } = shape;
  const at = (token: number, head: number, of: number, i: number): number => (token * of + head) * size + i;
  const result = new Float64Array(q.length);
  for (let s = 0; s < sequences; s++) {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor((h * kvHeads) / heads);
      for (let query = s * seqlen; query < (s + 1) * seqlen; query++) {
        const weights = Array.from({ length: query - s * seqlen + 1 }, (_, key) => {
          let dot = 0;
          for (let i = 0; i < size; i++)
            dot += (q[at(query, h, heads, i)] ?? NaN) * (k[at(s * seqlen + key, kv, kvHeads, i)] ?? NaN);
          const score = softcap === undefined ? dot * scale : softcap * Math.tanh((dot * scale) / softcap);
          return query - s * seqlen - key < window ? Math.exp(score + (slopes?.[h] ?? 0) * key) : 0;
        });
        const total = weights.reduce((a, b) => a + b, 0);
        for (let i = 0; i < size; i++) {
          let sum = 0;
          for (const [key, weight] of weights.entries())
            sum += weight * (v[at(s * seqlen + key, kv, kvHeads, i)] ?? NaN);
          result[at(query, h, heads, i)] = sum / total;
        }
      }
    }
  }
  return result;
}

/** erf by its series, in float64. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const activations: Record<Activation, (x: number) => number> = {
  relu: (x) => Math.max(0, x),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  'gelu-tanh': (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

test.each(Object.entries(activations) as [Activation, (x: number) => number][])(
  'activation function %s',
  async (kind, of) => {
    const x = Float32Array.from({ length: 1000 }, (_, i) => (i - 500) / 125);
    const inputs = { x: new Tensor('float32', x, [1, 1000]) };
    const y = await evaluate(
      new Map(),
      (g) => activate(g, kind, g.input('x', 'float32', [1, 1000])),
      inputs,
      [1, 1000],
    );
    expect(largestDifference(y, Array.from(x, of))).toBeLessThan(2e-6);
  },
);

test.each([6, 4])(
  'rotary positions turn entries i and i + d/2 of the first d = %i of a head by position / theta^(2i/d)',
  async (turned) => {
    const [sequences, seqlen, heads, size, theta] = [2, 3000, 2, 6, 10000];
    const x = values(sequences * seqlen * heads * size, 8);
    const y = await evaluate(
      new Map(),
      (g) =>
        windows(g, seqlen).rotate(g.input('x', 'float32', ['tokens', heads * size]), {
          heads,
          size,
          turned,
          frequencies: frequencies(turned, theta),
        }),
      { x: new Tensor('float32', x, [sequences * seqlen, heads * size]) },
      [sequences * seqlen, heads * size],
    );
    const expected = Array.from(x, (value, at) => {
      const [i, half] = [at % size, turned / 2];
      if (i >= turned) return value;
      const angle = (Math.floor(at / (heads * size)) % seqlen) / theta ** ((2 * (i % half)) / turned);
      const other = x[i < half ? at + half : at - half] ?? NaN;
      return value * Math.cos(angle) + (i < half ? -other : other) * Math.sin(angle);
    });
    // Angles are float32, as in transformers: 3000 positions on they are off by up to 3000 * 2^-24.
    expect(largestDifference(y.slice(0, 100), expected.slice(0, 100))).toBeLessThan(1e-6);
    expect(largestDifference(y, expected)).toBeLessThan(5e-4);
  },
);

test.each([0, 1] as const)('RMS normalization, its weight stored less %i', async (offset) => {
  const [rows, size] = [3, 5];
  const x = values(rows * size, 4, 10);
  const scale = values(size, 5);
  const weights = weightsIn('rms.safetensors', { scale: { dtype: 'F32', shape: [size], data: [...scale] } });
  const y = await evaluate(
    weights,
    (g) => rmsNorm(g, g.input('x', 'float32', ['tokens', size]), { scale: 'scale', epsilon: 0.01, offset }),
    { x: new Tensor('float32', x, [rows, size]) },
    [rows, size],
  );
  const expected = Array.from(x, (value, i) => {
    const row = [...x.subarray(i - (i % size), i - (i % size) + size)];
    return (
      (value / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / size + 0.01)) * (offset + (scale[i % size] ?? NaN))
    );
  });
  expect(largestDifference(y, expected)).toBeLessThan(1e-6);
});

test('layer normalization, with and without scale and bias', async () => {
  const [rows, size] = [3, 5];
  const x = values(rows * size, 4, 10);
  const [scale, bias] = [values(size, 5), values(size, 6)];
  const weights = weightsIn('norm.safetensors', {
    scale: { dtype: 'F32', shape: [size], data: [...scale] },
    bias: { dtype: 'F32', shape: [size], data: [...bias] },
  });
  const inputs = { x: new Tensor('float32', x, [rows, size]) };
  const plain = Array.from(x, (value, i) => {
    const row = [...x.subarray(i - (i % size), i - (i % size) + size)];
    const mean = row.reduce((a, b) => a + b) / size;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / size;
    return (value - mean) / Math.sqrt(variance + 1e-5);
  });
  const affine = plain.map((value, i) => value * (scale[i % size] ?? NaN) + (bias[i % size] ?? NaN));
  const input = (g: GraphBuilder): Value => g.input('x', 'float32', ['tokens', size]);
  expect(
    largestDifference(
      await evaluate(weights, (g) => layerNorm(g, input(g), { size, epsilon: 1e-5 }), inputs, [rows, size]),
      plain,
    ),
  ).toBeLessThan(1e-6);
  const names = { scale: 'scale', bias: 'bias' };
  expect(
    largestDifference(
      await evaluate(weights, (g) => layerNorm(g, input(g), { size, epsilon: 1e-5, affine: names }), inputs, [
        rows,
        size,
      ]),
      affine,
    ),
  ).toBeLessThan(1e-6);
});

test('log-sum-exp neither overflows nor underflows', async () => {
  const size = 1000;
  const rows = [
    values(size, 7, 20),
    new Float32Array(size).fill(-500),
    new Float32Array(size).fill(-300).fill(400, 3, 4),
  ];
  const x = Float32Array.from(rows.flatMap((row) => [...row]));
  const y = await evaluate(
    new Map(),
    (g) => logSumExp(g, g.input('x', 'float32', ['tokens', size])).logSum,
    { x: new Tensor('float32', x, [3, size]) },
    [3],
  );
  const expected = rows.map((row) => {
    const max = row.reduce((a, b) => Math.max(a, b));
    return max + Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0));
  });
  expect(expected[1]).toBeCloseTo(-500 + Math.log(1000), 10);
  for (const [i, value] of expected.entries())
    expect(Math.abs((y[i] ?? NaN) - value)).toBeLessThan(1e-6 * Math.abs(value));
});

test('pick takes one entry of each row', async () => {
  const x = new Tensor('float32', new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]);
  const index = new Tensor('int32', new Int32Array([2, 0]), [2]);
  const y = await evaluate(
    new Map(),
    (g) => pick(g, g.input('x', 'float32', ['tokens', 3]), g.input('index', 'int32', ['tokens'])),
    { x, index },
    [2],
  );
  expect(y).toEqual([3, 4]);
});
