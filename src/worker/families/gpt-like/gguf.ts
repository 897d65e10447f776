import { ggufName, sizeMetadata, type GgufDescription, type GgufNames, type TensorMapping } from '../gguf.ts';
import { blockLayers, type GgufTraits, type TensorNames, type Traits } from './traits.ts';

/** How llama.cpp has a checkpoint with these traits. `isTied`: its head is the embedding. */
export function describeGguf(traits: Traits, own: GgufTraits, { isTied }: { isTied: boolean }): GgufDescription {
  const { architecture, refusal } = own;
  const { blocks, hidden, inner, vocab, maxSeqlen, shape, epsilon } = traits;
  const names = ggufNames(traits.names);
  const weights = blockLayers(traits).map(({ path }) => `.${path}.weight`);
  const { rows, names: qkv } = traits.names.queriesKeysValues;
  const change = (name: string): Omit<TensorMapping, 'name'> => {
    if (rows === 'by-head' && name.includes(`.${qkv[0]}.`)) return { rows: partByPart(shape.heads, shape.size) };
    return traits.transposed && weights.some((weight) => name.endsWith(weight)) ? { transposed: true } : {};
  };
  return {
    architecture,
    refusal,
    metadata: () => ({
      ...sizeMetadata(architecture, { blocks, hidden, inner, vocab, context: maxSeqlen, attention: shape }),
      [`${architecture}.attention.layer_norm_epsilon`]: { f32: epsilon },
      ...own.metadata,
    }),
    mappings(name) {
      const known = ggufName(names, name);
      if (known === null) return [];
      const isHeadToo = own.ownHead && isTied && known === 'token_embd.weight';
      return [{ name: known, ...change(name) }, ...(isHeadToo ? [{ name: 'output.weight' }] : [])];
    },
    extras: () => [],
  };
}

function ggufNames(names: TensorNames): GgufNames {
  const { queriesKeysValues: qkv } = names;
  return {
    prefix: names.prefixes[1],
    blocks: names.blocks,
    outer: {
      [`${names.embedding}.weight`]: 'token_embd.weight',
      ...(names.positions !== undefined && { [`${names.positions}.weight`]: 'position_embd.weight' }),
      ...normNames(names.embeddingNorm, 'token_embd_norm'),
      ...normNames(names.finalNorm, 'output_norm'),
      ...Object.fromEntries(names.heads.map((head) => [head, 'output.weight'])),
    },
    inBlock: {
      [names.attentionNorm]: 'attn_norm',
      ...(qkv.rows === 'apart'
        ? { [qkv.names[0]]: 'attn_q', [qkv.names[1]]: 'attn_k', [qkv.names[2]]: 'attn_v' }
        : { [qkv.names[0]]: 'attn_qkv' }),
      [names.attentionOut]: 'attn_output',
      [names.mlpNorm]: 'ffn_norm',
      [names.mlpUp]: 'ffn_up',
      [names.mlpDown]: 'ffn_down',
    },
  };
}

function normNames(name: string | undefined, known: string): Record<string, string> {
  return name === undefined ? {} : { [`${name}.weight`]: `${known}.weight`, [`${name}.bias`]: `${known}.bias` };
}

/** Rows [heads, 3, size] as [3, heads, size]: those of queries, keys and values one after another. */
export function partByPart(heads: number, size: number): Uint32Array {
  return Uint32Array.from({ length: 3 * heads * size }, (_, row) => {
    const [part, within] = [Math.floor(row / (heads * size)), row % (heads * size)];
    const [head, entry] = [Math.floor(within / size), within % size];
    return (head * 3 + part) * size + entry;
  });
}
