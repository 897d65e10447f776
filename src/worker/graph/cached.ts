import type { GraphBuilder, Value } from './builder.ts';
import {
  add,
  embedding,
  multiply,
  reshape,
  rotaryAngles,
  rotate,
  transpose,
  type Angles,
  type AttentionShape,
} from './operations.ts';
import type { Tokens } from './tokens.ts';

const cacheParts = ['key', 'value'] as const;
type CachePart = (typeof cacheParts)[number];

export interface CacheOptions {
  readonly blocks: number;
  /** Of past and new tokens together. */
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
  const bias = attentionBias(g, { mask, lengths }, attention);
  const bySequence = (rows: Value, rest: readonly number[]): Value =>
    g.node('Reshape', [rows, g.node('Concat', [lengths, g.ints(rest)], { axis: 0 })]);
  let angles: Angles | undefined;
  return {
    ids: reshape(g, ids, [-1]),
    bySequence: (rows, width) => bySequence(rows, [width]),
    addPositions(x, { table, offset }) {
      return add(g, x, embedding(g, table, add(g, reshape(g, positions, [-1]), g.ints([offset]))));
    },
    rotate(x, { heads, size, theta }) {
      angles ??= rotaryAngles(g, { size, theta, positions: maxSeqlen });
      return reshape(g, rotate(g, bySequence(x, [heads * size]), positions, angles), [-1, heads * size]);
    },
    attention(block, [q, k, v], shape) {
      const { heads, kvHeads, size } = shape;
      const present = (part: CachePart, x: Value): Value => {
        const fresh = transpose(g, bySequence(x, [kvHeads, size]), [0, 2, 1, 3]);
        const whole = g.node('Concat', [{ name: `past_key_values.${block}.${part}` }, fresh], { axis: 2 });
        g.output(`present.${block}.${part}`, whole, ['batch', kvHeads, 'total', size]);
        return whole;
      };
      const queries = bySequence(q, [kvHeads, heads / kvHeads, size]);
      return groupedAttention(g, { queries, keys: present('key', k), values: present('value', v), bias }, shape);
    },
  };
}

interface Attended {
  /** [batch, sequence, kvHeads, group, size]: the group of queries' heads that share a head of keys and values. */
  readonly queries: Value;
  /** [batch, kvHeads, total, size], as the values. */
  readonly keys: Value;
  readonly values: Value;
  /** Added to the scores. */
  readonly bias: Value;
}

/** softmax(q kᵀ / sqrt(size) + bias) v: [tokens, heads * size]. A group's queries lie one after another, so that keys and values are never copied. */
function groupedAttention(
  g: GraphBuilder,
  { queries, keys, values, bias }: Attended,
  { heads, kvHeads, size }: AttentionShape,
): Value {
  const scaled = multiply(g, queries, g.floats(new Float32Array([Math.sqrt(1 / size)])));
  const grouped = reshape(g, transpose(g, scaled, [0, 2, 3, 1, 4]), [0, kvHeads, -1, size]);
  const scores = g.node('MatMul', [grouped, transpose(g, keys, [0, 1, 3, 2])]);
  const shares = g.node('Softmax', [add(g, scores, bias)], { axis: -1 });
  const attended = reshape(g, g.node('MatMul', [shares, values]), [0, kvHeads, heads / kvHeads, -1, size]);
  return reshape(g, transpose(g, attended, [0, 3, 1, 2, 4]), [-1, heads * size]);
}

/**
 * [batch, 1, group * sequence, total]: 0 where a token attends, -1e9 to padding and to what comes after it.
 * @param mask int64 [batch, total]
 * @param lengths int64 [2]: batch, sequence
 */
function attentionBias(
  g: GraphBuilder,
  { mask, lengths }: { mask: Value; lengths: Value },
  { heads, kvHeads }: AttentionShape,
): Value {
  const group = heads / kvHeads;
  const total = g.node('Gather', [g.node('Shape', [mask]), g.ints([1], [])]);
  const sequence = g.node('Gather', [lengths, g.ints([1], [])]);
  const keys = g.node('Range', [g.ints([0], []), total, g.ints([1], [])]);
  const tokens = g.node('Range', [g.node('Sub', [total, sequence]), total, g.ints([1], [])]);
  const causal = g.node('LessOrEqual', [keys, reshape(g, tokens, [-1, 1])]);
  const real = g.node('Unsqueeze', [g.node('Greater', [mask, g.ints([0], [])]), g.ints([1, 2, 3])]);
  const attends = g.node('And', [real, causal]);
  const bias = g.node('Where', [attends, g.floats(new Float32Array([0]), []), g.floats(new Float32Array([-1e9]), [])]);
  const repeated = g.node('Expand', [bias, g.ints([1, 1, group, 1, 1])]);
  return g.node('Reshape', [repeated, g.node('Concat', [g.ints([0, 1, -1]), reshape(g, total, [1])], { axis: 0 })]);
}
