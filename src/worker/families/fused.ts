import type { GraphBuilder, Value } from '../graph/builder.ts';
import { reshape, slice, type AttentionShape } from '../graph/operations.ts';
import type { QueriesKeysValues } from '../graph/tokens.ts';

/** The result of a fused projection whose rows are [heads, 3, size]: [tokens, heads * 3 * size] -> three times [tokens, heads * size]. */
export function splitByHead(g: GraphBuilder, qkv: Value, { heads, size }: AttentionShape): QueriesKeysValues {
  const apart = reshape(g, qkv, [-1, heads, 3, size]);
  const part = (i: number): Value => reshape(g, slice(g, apart, 2, { start: i, end: i + 1 }), [-1, heads * size]);
  return [part(0), part(1), part(2)];
}
