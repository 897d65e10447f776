import type { GraphBuilder, Value } from './builder.ts';
import {
  addPositions,
  causalAttention,
  reshape,
  rotaryAngles,
  rotate,
  type Attention,
  type Frequencies,
  type TurnedHeads,
} from './operations.ts';

/** A table of learned positions, [offset + positions, width]. */
export interface LearnedPositions {
  readonly table: string;
  /** Rows at its start that no position uses. */
  readonly offset: number;
  readonly width: number;
}

/** Rotary positions: which entries turn, and how fast. */
export interface Rotary extends TurnedHeads {
  readonly frequencies: Frequencies;
  /** Others for sequences of more tokens than `positions`. */
  readonly beyond?: { readonly positions: number; readonly frequencies: Frequencies } | undefined;
}

export type QueriesKeysValues = readonly [q: Value, k: Value, v: Value];

/** What the tokens of a graph are to each other: where they stand, and which of them each attends to. */
export interface Tokens {
  /** x [tokens, width] plus the row of each token's position. */
  addPositions(x: Value, positions: LearnedPositions): Value;
  /** Entries i and i + turned / 2 of every head turned by the angle of the token's position. x [tokens, heads * size]. */
  rotate(x: Value, rotary: Rotary): Value;
  /** Causal self-attention of a block: q and the result [tokens, heads * size], k and v [tokens, kvHeads * size]. */
  attention(block: number, qkv: QueriesKeysValues, attention: Attention): Value;
}

/** Sequences of `seqlen` tokens one after another, each from its first position on. */
export function windows(g: GraphBuilder, seqlen: number): Tokens {
  const anglesOf = remembered((frequencies: Frequencies) => rotaryAngles(g, frequencies, seqlen));
  return {
    addPositions(x, { table, offset, width }) {
      return addPositions(g, x, g.weight(table, { start: offset, end: offset + seqlen }), seqlen, width);
    },
    rotate(x, { frequencies, beyond, ...turned }) {
      const angles = anglesOf(beyond && seqlen > beyond.positions ? beyond.frequencies : frequencies);
      const width = turned.heads * turned.size;
      return reshape(g, rotate(g, reshape(g, x, [-1, seqlen, width]), g.ints([0]), angles, turned), [-1, width]);
    },
    attention: (_block, qkv, attention) => causalAttention(g, qkv, attention, seqlen),
  };
}

/** `make`, called once for each key. */
export function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}
