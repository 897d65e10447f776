import type { GraphBuilder, Value } from './builder.ts';
import {
  addPositions,
  causalAttention,
  reshape,
  rotaryAngles,
  rotate,
  type Angles,
  type AttentionShape,
} from './operations.ts';

/** A table of learned positions, [offset + positions, width]. */
export interface LearnedPositions {
  readonly table: string;
  /** Rows at its start that no position uses. */
  readonly offset: number;
  readonly width: number;
}

export interface Rotary {
  readonly heads: number;
  /** Of one head. */
  readonly size: number;
  readonly theta: number;
}

export type QueriesKeysValues = readonly [q: Value, k: Value, v: Value];

/** What the tokens of a graph are to each other: where they stand, and which of them each attends to. */
export interface Tokens {
  /** x [tokens, width] plus the row of each token's position. */
  addPositions(x: Value, positions: LearnedPositions): Value;
  /** Rotary positions: entries i and i + size / 2 of every head turned by the angle position / theta^(2i / size). x [tokens, heads * size]. */
  rotate(x: Value, rotary: Rotary): Value;
  /** Causal self-attention of a block: q and the result [tokens, heads * size], k and v [tokens, kvHeads * size]. */
  attention(block: number, qkv: QueriesKeysValues, shape: AttentionShape): Value;
}

/** Sequences of `seqlen` tokens one after another, each from its first position on. */
export function windows(g: GraphBuilder, seqlen: number): Tokens {
  let angles: Angles | undefined;
  return {
    addPositions(x, { table, offset, width }) {
      return addPositions(g, x, g.weight(table, { start: offset, end: offset + seqlen }), seqlen, width);
    },
    rotate(x, { heads, size, theta }) {
      angles ??= rotaryAngles(g, { size, theta, positions: seqlen });
      const turned = rotate(g, reshape(g, x, [-1, seqlen, heads * size]), g.ints([0]), angles);
      return reshape(g, turned, [-1, heads * size]);
    },
    attention: (_block, qkv, shape) => causalAttention(g, qkv, shape, seqlen),
  };
}
