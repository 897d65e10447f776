import type { GraphBuilder, PackedWeight, Rows, Value } from './builder.ts';

/** Queries whose scores are computed at once. */
const ATTENTION_TILE = 128;

export interface LinearOptions {
  readonly bias?: string | undefined;
  readonly rows?: Rows | undefined;
  /** The checkpoint holds W as [in, out]. */
  readonly transposed?: boolean;
}

/** x Wᵀ + b: [tokens, in] -> [tokens, out], with the checkpoint's W [out, in] (or a range of its rows) and b [out] or none. */
export function linear(g: GraphBuilder, x: Value, weight: string, options: LinearOptions = {}): Value {
  const bias = options.bias === undefined ? [] : [g.weight(options.bias, options.rows)];
  const packed = g.packed(weight);
  if (packed) return packedLinear(g, x, packed, bias);
  return g.node('Gemm', [x, g.weight(weight, options.rows), ...bias], { transB: options.transposed ? 0 : 1 });
}

const NONE: Value = { name: '' };

/** The same with W as whole numbers. Accuracy level 0: activations stay float32. */
function packedLinear(
  g: GraphBuilder,
  x: Value,
  { rows, cols, bits, blockSize, parts }: PackedWeight,
  bias: readonly Value[],
): Value {
  const zeroPoints = parts.zeroPoints === undefined ? NONE : g.storedWeight(parts.zeroPoints);
  const inputs = [x, g.storedWeight(parts.codes), g.storedWeight(parts.scales), zeroPoints, NONE, ...bias];
  const attributes = { K: cols, N: rows, bits, block_size: blockSize, accuracy_level: 0 };
  return g.node('MatMulNBits', inputs, attributes, 'com.microsoft');
}

export function add(g: GraphBuilder, a: Value, b: Value): Value {
  return g.node('Add', [a, b]);
}

/** Activation functions: `gelu` is x Φ(x), `gelu-tanh` its approximation by tanh, `silu` x sigmoid(x). */
export type Activation = 'relu' | 'silu' | 'gelu' | 'gelu-tanh';

export function activate(g: GraphBuilder, kind: Activation, x: Value): Value {
  switch (kind) {
    case 'relu':
      return g.node('Relu', [x]);
    case 'silu':
      return multiply(g, x, g.node('Sigmoid', [x]));
    case 'gelu':
      return g.node('Gelu', [x], {}, 'com.microsoft');
    case 'gelu-tanh':
      return g.node('FastGelu', [x], {}, 'com.microsoft');
  }
}

/** cap * tanh(x / cap). */
export function softcap(g: GraphBuilder, x: Value, cap: number): Value {
  return scale(g, g.node('Tanh', [scale(g, x, 1 / cap)]), cap);
}

export function scale(g: GraphBuilder, x: Value, factor: number): Value {
  return multiply(g, x, g.floats(new Float32Array([factor])));
}

export function reshape(g: GraphBuilder, x: Value, shape: readonly number[]): Value {
  return g.node('Reshape', [x, g.ints(shape)]);
}

export interface LayerNorm {
  /** The last dimension's entries. */
  readonly size: number;
  readonly epsilon: number;
  /** Without them it only normalizes. */
  readonly affine?: { readonly scale: string; readonly bias: string } | undefined;
}

/** Layer normalization over the last dimension. */
export function layerNorm(g: GraphBuilder, x: Value, { size, epsilon, affine }: LayerNorm): Value {
  const scale = affine ? g.weight(affine.scale) : g.floats(new Float32Array(size).fill(1));
  const bias = affine ? [g.weight(affine.bias)] : [];
  return g.node('LayerNormalization', [x, scale, ...bias], { axis: -1, epsilon: { float: epsilon } });
}

/** Rows of a table [vocab, size] by whole-number index: [tokens] -> float32 [tokens, size]. Widens only the rows looked up. */
export function embedding(g: GraphBuilder, table: string, ids: Value): Value {
  return g.toFloat32(g.node('Gather', [g.storedWeight(table), ids]));
}

export interface AttentionShape {
  readonly heads: number;
  /** Heads of keys and values; each serves heads / kvHeads queries' heads. */
  readonly kvHeads: number;
  /** The entries of one head. */
  readonly size: number;
}

/** How a block attends, beside its shape: softmax(scores) v with scores = softcap(q kᵀ * scale) + slopes * position of the key. */
export interface Attention extends AttentionShape {
  /** 1 / sqrt(size) where it is not given. */
  readonly scale?: number | undefined;
  /** Scores become cap * tanh(scores / cap). */
  readonly softcap?: number | undefined;
  /** A token attends to itself and so many before it, less one. */
  readonly window?: number | undefined;
  /** ALiBi (arXiv 2108.12409): a slope for each head; only where heads = kvHeads. */
  readonly slopes?: Float32Array<ArrayBuffer> | undefined;
}

/** Masked scores of this size have no share left in a softmax. */
export const MASKED = -1e9;

/**
 * Causal self-attention over sequences of `seqlen` tokens.
 * q and the result [tokens, heads * size], k and v [tokens, kvHeads * size], tokens = sequences * seqlen.
 *
 * Queries go a tile at a time, each with the keys it can see: the scores stay small, and half of them are never computed. On the
 * CPU that is faster than the contrib operators, which hold all scores when they are causal; WebGPU's MultiHeadAttention is wrong
 * on adapters with small subgroups, SwiftShader's among them.
 */
export function causalAttention(
  g: GraphBuilder,
  qkv: readonly [q: Value, k: Value, v: Value],
  attention: Attention,
  seqlen: number,
): Value {
  const { heads, kvHeads, size } = attention;
  const q = reshape(g, qkv[0], [-1, seqlen, heads, size]);
  const [k, v] = [qkv[1], qkv[2]].map((x) =>
    repeatHeads(g, reshape(g, x, [-1, seqlen, kvHeads, size]), { heads, kvHeads, size, seqlen }),
  ) as [Value, Value];
  const queries = transpose(g, scale(g, q, scaleOf(attention)), [0, 2, 1, 3]);
  const keys = transpose(g, k, [0, 2, 3, 1]);
  const values = transpose(g, v, [0, 2, 1, 3]);
  const tiles: Value[] = [];
  for (let start = 0; start < seqlen; start += ATTENTION_TILE) {
    const end = Math.min(start + ATTENTION_TILE, seqlen);
    const seen = { start: Math.max(0, start + 1 - (attention.window ?? Infinity)), end };
    const products = g.node('MatMul', [slice(g, queries, 2, { start, end }), slice(g, keys, 3, seen)]);
    const scores = add(g, biased(g, products, attention, seen), causalMask(g, { start, end }, seen, attention.window));
    const shares = g.node('Softmax', [scores], { axis: -1 });
    tiles.push(g.node('MatMul', [shares, slice(g, values, 2, seen)]));
  }
  return reshape(g, transpose(g, g.node('Concat', tiles, { axis: 2 }), [0, 2, 1, 3]), [-1, heads * size]);
}

export function scaleOf({ scale, size }: Attention): number {
  return scale ?? Math.sqrt(1 / size);
}

/** The scores against the keys of `seen`, capped and with what the positions add: less what the last one adds, which is the same to a softmax and small where it matters. */
function biased(g: GraphBuilder, products: Value, { softcap: cap, slopes }: Attention, { start, end }: Rows): Value {
  const scores = cap === undefined ? products : softcap(g, products, cap);
  if (slopes === undefined) return scores;
  const width = end - start;
  const bias = Float32Array.from(
    { length: slopes.length * width },
    (_, i) => (slopes[Math.floor(i / width)] ?? NaN) * ((i % width) + 1 - width),
  );
  return add(g, scores, g.floats(bias, [slopes.length, 1, width]));
}

/** x [sequences, seqlen, kvHeads, size] -> [sequences, seqlen, heads, size]: each head as often as queries' heads share it. */
function repeatHeads(
  g: GraphBuilder,
  x: Value,
  { heads, kvHeads, size, seqlen }: AttentionShape & { seqlen: number },
): Value {
  if (heads === kvHeads) return x;
  const apart = reshape(g, x, [-1, seqlen, kvHeads, 1, size]);
  const repeated = g.node('Expand', [apart, g.ints([1, 1, 1, heads / kvHeads, 1])]);
  return reshape(g, repeated, [-1, seqlen, heads, size]);
}

/** Added to the scores of `queries` against the keys `seen`: 0 for a token and those before it in its window, a masked score else. */
function causalMask(g: GraphBuilder, queries: Rows, seen: Rows, window = Infinity): Value {
  const [height, width] = [queries.end - queries.start, seen.end - seen.start];
  const mask = Float32Array.from({ length: height * width }, (_, i) => {
    const before = queries.start + Math.floor(i / width) - (seen.start + (i % width));
    return before >= 0 && before < window ? 0 : MASKED;
  });
  return g.floats(mask, [height, width]);
}

export function transpose(g: GraphBuilder, x: Value, perm: readonly number[]): Value {
  return g.node('Transpose', [x], { perm });
}

/** Entries start..end along an axis. */
export function slice(g: GraphBuilder, x: Value, axis: number, { start, end }: Rows): Value {
  return g.node('Slice', [x, g.ints([start]), g.ints([end]), g.ints([axis])]);
}

/**
 * log sum(exp(x)) over the last dimension, [tokens, n] -> [tokens], and the largest x, from which it is computed.
 * The largest probability is exp(max) / sum(exp) and never underflows, so log sum(exp) = max - log(largest probability): faster and
 * more exact than onnxruntime's ReduceLogSumExp, and on WebGPU too, where LogSoftmax is not.
 */
export function logSumExp(g: GraphBuilder, x: Value): { logSum: Value; max: Value } {
  const max = g.node('ReduceMax', [x], { axes: [1], keepdims: 0 });
  const largest = g.node('ReduceMax', [g.node('Softmax', [x], { axis: 1 })], { axes: [1], keepdims: 0 });
  return { logSum: g.node('Sub', [max, g.node('Log', [largest])]), max };
}

/** One entry of each row: x [tokens, n], index int32 [tokens] -> [tokens]. */
export function pick(g: GraphBuilder, x: Value, index: Value): Value {
  return reshape(g, g.node('GatherElements', [x, reshape(g, index, [-1, 1])], { axis: 1 }), [-1]);
}

/** Adds the same rows [seqlen, hidden] to every sequence of x [tokens, hidden]. */
export function addPositions(g: GraphBuilder, x: Value, positions: Value, seqlen: number, hidden: number): Value {
  return reshape(g, add(g, reshape(g, x, [-1, seqlen, hidden]), positions), [-1, hidden]);
}

/** cos and sin of the angles of rotary positions, each [positions, turned / 2]. */
export interface Angles {
  readonly cos: Value;
  readonly sin: Value;
}

/** How fast each pair of entries of a head turns, angle a position, and what cos and sin are multiplied by. */
export interface Frequencies {
  /** [turned / 2]. */
  readonly inverse: Float32Array<ArrayBuffer>;
  readonly factor: number;
}

/** theta^(-2i / turned) for i < turned / 2, in the float32 steps in which transformers computes it. */
export function frequencies(turned: number, theta: number): Frequencies {
  const inverse = Float32Array.from(
    { length: turned / 2 },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / turned)),
  );
  return { inverse, factor: 1 };
}

/** The angles of positions 0..positions, in float32 as transformers computes them. */
export function rotaryAngles(g: GraphBuilder, { inverse, factor }: Frequencies, positions: number): Angles {
  const half = inverse.length;
  const angles = Float32Array.from(
    { length: positions * half },
    (_, i) => Math.floor(i / half) * (inverse[i % half] ?? NaN),
  );
  const table = (of: (angle: number) => number): Value =>
    g.floats(
      angles.map((angle) => Math.fround(of(angle)) * factor),
      [positions, half],
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** Which entries of x [sequences, seqlen, heads * size] turn: the first `turned` of each head. */
export interface TurnedHeads {
  readonly heads: number;
  /** The entries of one head. */
  readonly size: number;
  readonly turned: number;
}

/**
 * Turns entries i and i + turned / 2 of every head by the angles of its token; `positions` int64 [sequences, seqlen], or [1], which is
 * that of the first token of each sequence.
 */
export function rotate(
  g: GraphBuilder,
  x: Value,
  positions: Value,
  { cos, sin }: Angles,
  { heads, size, turned }: TurnedHeads,
): Value {
  const part = turned === size ? {} : { num_heads: heads, rotary_embedding_dim: turned };
  return g.node('RotaryEmbedding', [x, positions, cos, sin], part, 'com.microsoft');
}

export interface RmsNorm {
  /** Name of the weight. */
  readonly scale: string;
  readonly epsilon: number;
  /** Added to the weight: Gemma's are stored less one. */
  readonly offset?: 0 | 1;
}

/** x / sqrt(mean(x²) + epsilon) * scale over the last dimension. */
export function rmsNorm(g: GraphBuilder, x: Value, { scale, epsilon, offset = 0 }: RmsNorm): Value {
  const stored = g.weight(scale);
  const weight = offset === 0 ? stored : add(g, stored, g.floats(new Float32Array([offset])));
  return g.node('SimplifiedLayerNormalization', [x, weight], { axis: -1, epsilon: { float: epsilon } });
}

export function multiply(g: GraphBuilder, a: Value, b: Value): Value {
  return g.node('Mul', [a, b]);
}
