import { GraphBuilder, type PackedWeight } from '../graph/builder.ts';
import { cachedTokens } from '../graph/cached.ts';
import type { Weights } from '../model/weights.ts';

/** All of a model in one graph with a cache: new tokens and what is kept of those before -> `logits` [batch, sequence, vocab]. */
export function wholeGraph({ family, tensors }: Weights, packed?: ReadonlyMap<string, PackedWeight>): GraphBuilder {
  const g = new GraphBuilder(tensors, packed);
  const tokens = cachedTokens(g, family);
  let x = family.embed(g, tokens.ids, tokens);
  for (let block = 0; block < family.blocks; block++) x = family.block(g, block, x, tokens, () => undefined);
  const logits = tokens.bySequence(family.logits(g, family.norm(g, x)), family.vocab);
  g.output('logits', logits, ['batch', 'sequence', family.vocab]);
  return g;
}
