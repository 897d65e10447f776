import type { GraphBuilder, PackedWeight, Rows, Value } from './builder.ts';

/** Queries whose scores are computed at once. */
const ATTENTION_TILE = 128;

/** x Wᵀ + b: [tokens, in] -> [tokens, out], with the checkpoint's W [out, in] (or a range of its rows) and b [out] or none. */
export function linear(
  g: GraphBuilder,
  x: Value,
  weight: string,
  options: { bias?: string | undefined; rows?: Rows | undefined } = {},
): Value {
  const bias = options.bias === undefined ? [] : [g.weight(options.bias, options.rows)];
  const packed = g.packed(weight);
  if (packed) return packedLinear(g, x, packed, bias);
  return g.node('Gemm', [x, g.weight(weight, options.rows), ...bias], { transB: 1 });
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

export function relu(g: GraphBuilder, x: Value): Value {
  return g.node('Relu', [x]);
}

export function reshape(g: GraphBuilder, x: Value, shape: readonly number[]): Value {
  return g.node('Reshape', [x, g.ints(shape)]);
}

/** Layer normalization over the last dimension (`size`); without `scale` and `bias` it only normalizes. */
export function layerNorm(g: GraphBuilder, x: Value, size: number, affine?: { scale: string; bias: string }): Value {
  const scale = affine ? g.weight(affine.scale) : g.floats(new Float32Array(size).fill(1));
  const bias = affine ? [g.weight(affine.bias)] : [];
  return g.node('LayerNormalization', [x, scale, ...bias], { axis: -1, epsilon: { float: 1e-5 } });
}

/** Rows of a table [vocab, size] by whole-number index: [tokens] -> float32 [tokens, size]. Widens only the rows looked up. */
export function embedding(g: GraphBuilder, table: string, ids: Value): Value {
  return g.toFloat32(g.node('Gather', [g.storedWeight(table), ids]));
}

export interface AttentionShape {
  readonly heads: number;
  /** Heads of keys and values; each serves heads / kvHeads queries' heads. */
  readonly kvHeads: number;
  /** Of one head. */
  readonly size: number;
}

/**
 * Causal self-attention over sequences of `seqlen` tokens: softmax(q kᵀ / sqrt(size)) v.
 * q and the result [tokens, heads * size], k and v [tokens, kvHeads * size], tokens = sequences * seqlen.
 *
 * Queries go a tile at a time, each with the keys up to its end: the scores stay small, and half of them are never computed. On the
 * CPU that is faster than the contrib operators, which hold all scores when they are causal; WebGPU's MultiHeadAttention is wrong
 * on adapters with small subgroups, SwiftShader's among them.
 */
export function causalAttention(
  g: GraphBuilder,
  qkv: readonly [q: Value, k: Value, v: Value],
  { heads, kvHeads, size }: AttentionShape,
  seqlen: number,
): Value {
  const q = reshape(g, qkv[0], [-1, seqlen, heads, size]);
  const [k, v] = [qkv[1], qkv[2]].map((x) =>
    repeatHeads(g, reshape(g, x, [-1, seqlen, kvHeads, size]), { heads, kvHeads, size, seqlen }),
  ) as [Value, Value];
  const scaled = g.node('Mul', [q, g.floats(new Float32Array([Math.sqrt(1 / size)]))]);
  const queries = transpose(g, scaled, [0, 2, 1, 3]);
  const keys = transpose(g, k, [0, 2, 3, 1]);
  const values = transpose(g, v, [0, 2, 1, 3]);
  const tiles: Value[] = [];
  for (let start = 0; start < seqlen; start += ATTENTION_TILE) {
    const end = Math.min(start + ATTENTION_TILE, seqlen);
    const scores = g.node('MatMul', [slice(g, queries, 2, { start, end }), slice(g, keys, 3, { start: 0, end })]);
    const shares = g.node('Softmax', [add(g, scores, causalMask(g, { start, end }))], { axis: -1 });
    tiles.push(g.node('MatMul', [shares, slice(g, values, 2, { start: 0, end })]));
  }
  return reshape(g, transpose(g, g.node('Concat', tiles, { axis: 2 }), [0, 2, 1, 3]), [-1, heads * size]);
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

/** Added to the scores of queries start..end against keys 0..end: 0 for a token and those before it, -1e9 for those after. */
function causalMask(g: GraphBuilder, { start, end }: Rows): Value {
  const mask = new Float32Array((end - start) * end);
  for (let query = start; query < end; query++)
    mask.fill(-1e9, (query - start) * end + query + 1, (query - start + 1) * end);
  return g.floats(mask, [end - start, end]);
}

export function transpose(g: GraphBuilder, x: Value, perm: readonly number[]): Value {
  return g.node('Transpose', [x], { perm });
}

function slice(g: GraphBuilder, x: Value, axis: number, { start, end }: Rows): Value {
  return g.node('Slice', [x, g.ints([start]), g.ints([end]), g.ints([axis])]);
}

/**
 * log sum(exp(x)) over the last dimension: [tokens, n] -> [tokens].
 * The largest probability is exp(max) / sum(exp) and never underflows, so log sum(exp) = max - log(largest probability): faster and
 * more exact than onnxruntime's ReduceLogSumExp, and on WebGPU too, where LogSoftmax is not.
 */
export function logSumExp(g: GraphBuilder, x: Value): Value {
  const max = g.node('ReduceMax', [x], { axes: [1], keepdims: 0 });
  const largest = g.node('ReduceMax', [g.node('Softmax', [x], { axis: 1 })], { axes: [1], keepdims: 0 });
  return g.node('Sub', [max, g.node('Log', [largest])]);
}

/** One entry of each row: x [tokens, n], index int32 [tokens] -> [tokens]. */
export function pick(g: GraphBuilder, x: Value, index: Value): Value {
  return reshape(g, g.node('GatherElements', [x, reshape(g, index, [-1, 1])], { axis: 1 }), [-1]);
}

/** Adds the same rows [seqlen, hidden] to every sequence of x [tokens, hidden]. */
export function addPositions(g: GraphBuilder, x: Value, positions: Value, seqlen: number, hidden: number): Value {
  return reshape(g, add(g, reshape(g, x, [-1, seqlen, hidden]), positions), [-1, hidden]);
}

/** cos and sin of the angles of rotary positions, each [positions, size / 2]. */
export interface Angles {
  readonly cos: Value;
  readonly sin: Value;
}

/** position / theta^(2i / size) for i < size / 2, in the float32 steps in which transformers computes it. */
export function rotaryAngles(
  g: GraphBuilder,
  { size, theta, positions }: { size: number; theta: number; positions: number },
): Angles {
  const half = size / 2;
  const frequencies = Float32Array.from(
    { length: half },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / size)),
  );
  const angles = Float32Array.from(
    { length: positions * half },
    (_, i) => Math.floor(i / half) * (frequencies[i % half] ?? NaN),
  );
  const shape = [positions, half];
  return { cos: g.floats(angles.map(Math.cos), shape), sin: g.floats(angles.map(Math.sin), shape) };
}

/**
 * Turns entries i and i + size / 2 of every head by the angles of its token: x [sequences, seqlen, heads * size];
 * `positions` int64 [sequences, seqlen], or [1], which is that of the first token of each sequence.
 */
export function rotate(g: GraphBuilder, x: Value, positions: Value, { cos, sin }: Angles): Value {
  return g.node('RotaryEmbedding', [x, positions, cos, sin], {}, 'com.microsoft');
}

/** x / sqrt(mean(x²) + epsilon) * scale over the last dimension. */
export function rmsNorm(g: GraphBuilder, x: Value, scale: string, epsilon: number): Value {
  return g.node('SimplifiedLayerNormalization', [x, g.weight(scale)], { axis: -1, epsilon: { float: epsilon } });
}

/** x * sigmoid(x). */
export function silu(g: GraphBuilder, x: Value): Value {
  return multiply(g, x, g.node('Sigmoid', [x]));
}

export function multiply(g: GraphBuilder, a: Value, b: Value): Value {
  return g.node('Mul', [a, b]);
}
