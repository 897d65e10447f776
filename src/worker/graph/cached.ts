import type { GraphBuilder, Value } from './builder.ts';
import {
  add,
  embedding,
  MASKED,
  multiply,
  reshape,
  rotaryAngles,
  rotate,
  scale,
  scaleOf,
  softcap,
  transpose,
  type Angles,
  type Attention,
  type AttentionShape,
  type Frequencies,
} from './operations.ts';
import { remembered, type Rotary, type Tokens } from './tokens.ts';

const cacheParts = ['key', 'value'] as const;
type CachePart = (typeof cacheParts)[number];

export interface CacheOptions {
  readonly blocks: number;
  /** The longest sequence, past and new tokens together. */
  readonly maxSeqlen: number;
  readonly attention: AttentionShape;
}

/** New tokens, each sequence's behind those whose keys and values are kept. */
export interface CachedTokens extends Tokens {
  /** Their ids, int64 [tokens]. */
  readonly ids: Value;
  /** Rows [tokens, width] as [batch, sequence, width]. */
  bySequence(rows: Value, width: number): Value;
}

/**
 * The interface that generating programs expect. Inputs `input_ids` and `position_ids` [batch, sequence], `attention_mask`
 * [batch, past + sequence] (0 where a token is padding), all int64, and for each block N `past_key_values.N.key` and `.value`
 * [batch, kvHeads, past, size]; outputs `present.N.key` and `.value`, which are the past with the new tokens behind it.
 */
export function cachedTokens(g: GraphBuilder, { blocks, maxSeqlen, attention }: CacheOptions): CachedTokens {
  const ids = g.input('input_ids', 'int64', ['batch', 'sequence']);
  const mask = g.input('attention_mask', 'int64', ['batch', 'total']);
  const positions = g.input('position_ids', 'int64', ['batch', 'sequence']);
  const pastShape = ['batch', attention.kvHeads, 'past', attention.size];
  for (let block = 0; block < blocks; block++)
    for (const part of cacheParts) g.input(`past_key_values.${block}.${part}`, 'float32', pastShape);
  const lengths = g.node('Shape', [ids]);
  const keys = keysOf(g, mask, lengths);
  const biasOf = remembered((window: number | undefined) => attentionBias(g, keys, attention, window));
  const tableOf = remembered((frequencies: Frequencies) => rotaryAngles(g, frequencies, maxSeqlen));
  const bySequence = (rows: Value, rest: readonly number[]): Value =>
    g.node('Reshape', [rows, g.node('Concat', [lengths, g.ints(rest)], { axis: 0 })]);
  const anglesOf = ({ frequencies, beyond }: Rotary): Angles => {
    const near = tableOf(frequencies);
    if (!beyond) return near;
    const far = tableOf(beyond.frequencies);
    const isFar = g.node('Greater', [keys.total, g.ints([beyond.positions], [])]);
    return { cos: g.node('Where', [isFar, far.cos, near.cos]), sin: g.node('Where', [isFar, far.sin, near.sin]) };
  };
  return {
    ids: reshape(g, ids, [-1]),
    bySequence: (rows, width) => bySequence(rows, [width]),
    addPositions(x, { table, offset }) {
      return add(g, x, embedding(g, table, add(g, reshape(g, positions, [-1]), g.ints([offset]))));
    },
    rotate(x, rotary) {
      const width = rotary.heads * rotary.size;
      return reshape(g, rotate(g, bySequence(x, [width]), positions, anglesOf(rotary), rotary), [-1, width]);
    },
    attention(block, [q, k, v], attention) {
      const { heads, kvHeads, size } = attention;
      const present = (part: CachePart, x: Value): Value => {
        const fresh = transpose(g, bySequence(x, [kvHeads, size]), [0, 2, 1, 3]);
        const whole = g.node('Concat', [{ name: `past_key_values.${block}.${part}` }, fresh], { axis: 2 });
        g.output(`present.${block}.${part}`, whole, ['batch', kvHeads, 'total', size]);
        return whole;
      };
      const queries = bySequence(q, [kvHeads, heads / kvHeads, size]);
      const [cachedKeys, values] = [present('key', k), present('value', v)];
      const bias = withSlopes(g, biasOf(attention.window), keys.positions, attention);
      return groupedAttention(g, { queries, keys: cachedKeys, values, bias }, attention);
    },
  };
}

/** What is known of the keys, past and new. */
interface Keys {
  /** Their number, int64 []. */
  readonly total: Value;
  /** 0..total, int64 [total]. */
  readonly positions: Value;
  /** The same of the new tokens, int64 [sequence]. */
  readonly fresh: Value;
  /** int64 [batch, total]: 0 where a token is padding. */
  readonly mask: Value;
}

function keysOf(g: GraphBuilder, mask: Value, lengths: Value): Keys {
  const total = g.node('Gather', [g.node('Shape', [mask]), g.ints([1], [])]);
  const sequence = g.node('Gather', [lengths, g.ints([1], [])]);
  const range = (from: Value): Value => g.node('Range', [from, total, g.ints([1], [])]);
  return { total, mask, positions: range(g.ints([0], [])), fresh: range(g.node('Sub', [total, sequence])) };
}

interface Attended {
  /** [batch, sequence, kvHeads, group, size]: the group of queries' heads that share a head of keys and values. */
  readonly queries: Value;
  /** [batch, kvHeads, total, size], as the values. */
  readonly keys: Value;
  readonly values: Value;
  /** Added to the scores [batch, kvHeads, group * sequence, total]. */
  readonly bias: Value;
}

/** softmax(softcap(q kᵀ * scale) + bias) v: [tokens, heads * size]. A group's queries lie one after another, so that keys and values are never copied. */
function groupedAttention(g: GraphBuilder, { queries, keys, values, bias }: Attended, attention: Attention): Value {
  const { heads, kvHeads, size, softcap: cap } = attention;
  const scaled = scale(g, queries, scaleOf(attention));
  const grouped = reshape(g, transpose(g, scaled, [0, 2, 3, 1, 4]), [0, kvHeads, -1, size]);
  const products = g.node('MatMul', [grouped, transpose(g, keys, [0, 1, 3, 2])]);
  const scores = add(g, cap === undefined ? products : softcap(g, products, cap), bias);
  const shares = g.node('Softmax', [scores], { axis: -1 });
  const attended = reshape(g, g.node('MatMul', [shares, values]), [0, kvHeads, heads / kvHeads, -1, size]);
  return reshape(g, transpose(g, attended, [0, 3, 1, 2, 4]), [-1, heads * size]);
}

/** [batch, 1, group * sequence, total]: 0 where a token attends, a masked score to padding and to what it does not see. */
function attentionBias(
  g: GraphBuilder,
  { total, positions, fresh, mask }: Keys,
  { heads, kvHeads }: AttentionShape,
  window: number | undefined,
): Value {
  const group = heads / kvHeads;
  const tokens = reshape(g, fresh, [-1, 1]);
  const causal = g.node('LessOrEqual', [positions, tokens]);
  const real = g.node('Unsqueeze', [g.node('Greater', [mask, g.ints([0], [])]), g.ints([1, 2, 3])]);
  const seen = g.node('And', [real, causal]);
  const attends =
    window === undefined
      ? seen
      : g.node('And', [seen, g.node('Greater', [positions, g.node('Sub', [tokens, g.ints([window], [])])])]);
  const bias = g.node('Where', [
    attends,
    g.floats(new Float32Array([0]), []),
    g.floats(new Float32Array([MASKED]), []),
  ]);
  const repeated = g.node('Expand', [bias, g.ints([1, 1, group, 1, 1])]);
  return g.node('Reshape', [repeated, g.node('Concat', [g.ints([0, 1, -1]), reshape(g, total, [1])], { axis: 0 })]);
}

/** ALiBi: each head's slope times the position of the key, counted from the last, is added. Where positions begin makes no difference to a softmax, so padding does not count. */
function withSlopes(g: GraphBuilder, bias: Value, positions: Value, { slopes }: Attention): Value {
  if (slopes === undefined) return bias;
  const fromLast = g.toFloat32(g.node('Sub', [positions, g.node('ReduceMax', [positions], { keepdims: 0 })]));
  return add(g, bias, multiply(g, g.floats(slopes, [slopes.length, 1, 1]), fromLast));
}
