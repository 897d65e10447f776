import { z } from 'zod';

import { TamisError } from '../../../contract/errors.ts';
import type { GraphBuilder, Rows, Value } from '../../graph/builder.ts';
import { activate, add, embedding, layerNorm, linear, type Attention } from '../../graph/operations.ts';
import type { Tokens } from '../../graph/tokens.ts';
import { readConfig } from '../config.ts';
import {
  headTensor,
  layerNormTensors,
  layersAt,
  requireTensor,
  tensorsAt,
  type FamilyModel,
  type Layer,
  type Source,
} from '../family.ts';
import { splitByHead } from '../fused.ts';

/** Of the models that were published, where config.json does not say. */
const SEQ_LENGTH = 2048;

/** Defaults as in transformers' BloomConfig, with the other names that it takes for its fields. */
const configSchema = z
  .object({
    vocab_size: z.int().positive().default(250880),
    hidden_size: z.int().positive().default(64),
    n_embed: z.int().positive().nullish(),
    n_layer: z.int().positive().optional(),
    num_hidden_layers: z.int().positive().optional(),
    n_head: z.int().positive().optional(),
    num_attention_heads: z.int().positive().optional(),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    apply_residual_connection_post_layernorm: z.boolean().default(false),
    seq_length: z.int().positive().nullish(),
    tie_word_embeddings: z.boolean().default(true),
  })
  .transform(({ hidden_size, n_embed, n_layer, num_hidden_layers, n_head, num_attention_heads, ...rest }) => ({
    ...rest,
    hidden: n_embed ?? hidden_size,
    blocks: n_layer ?? num_hidden_layers ?? 2,
    heads: n_head ?? num_attention_heads ?? 8,
  }));
type Config = z.infer<typeof configSchema>;

/** query_key_value's rows are [heads, 3, size]; it is compressed as the one layer that it is. */
const layerTypes = [
  { path: 'self_attention.query_key_value', tap: 'attn_in' },
  { path: 'self_attention.dense', tap: 'attn_out' },
  { path: 'mlp.dense_h_to_4h', tap: 'mlp_in' },
  { path: 'mlp.dense_4h_to_h', tap: 'mlp_mid' },
] as const;

/**
 * BLOOM (arXiv 2211.05100) as in transformers' BloomForCausalLM: ALiBi in the place of positions, a norm behind the embedding, and
 * queries, keys and values in one projection.
 */
export function openBloom(source: Source): FamilyModel {
  const config = readConfig(source, configSchema);
  const { hidden, heads } = config;
  if (hidden % heads !== 0) throw new TamisError('config.heads', { hidden, heads });
  const prefix = source.tensors.has('word_embeddings.weight') ? '' : 'transformer.';
  const headWeight = headTensor(source, `${prefix}word_embeddings.weight`, config.tie_word_embeddings);
  for (const [name, shape] of expectedTensors(config, prefix, headWeight)) requireTensor(source, name, shape);
  return new Bloom(source, config, prefix, headWeight);
}

class Bloom implements FamilyModel {
  readonly family = 'bloom';
  readonly defaultScheduler = 'paper';
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  /** ALiBi knows no longest sequence: it is that of the training, beyond which nothing was measured. */
  readonly maxSeqlen: number;
  readonly attention: Attention;
  readonly #tensors: Source['tensors'];
  readonly #config: Config;
  readonly #prefix: string;
  readonly #headWeight: string;

  constructor(source: Source, config: Config, prefix: string, headWeight: string) {
    const { blocks, hidden, heads } = config;
    this.blocks = blocks;
    this.hidden = hidden;
    this.vocab = config.vocab_size;
    this.maxSeqlen = config.seq_length ?? SEQ_LENGTH;
    this.attention = { heads, kvHeads: heads, size: hidden / heads, slopes: alibiSlopes(heads) };
    this.#tensors = source.tensors;
    this.#config = config;
    this.#prefix = prefix;
    this.#headWeight = headWeight;
  }

  layers(block: number): readonly Layer[] {
    return layersAt(this.#block(block), layerTypes);
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors);
  }

  embed(g: GraphBuilder, ids: Value): Value {
    const words = embedding(g, `${this.#prefix}word_embeddings.weight`, ids);
    return this.#layerNorm(g, words, `${this.#prefix}word_embeddings_layernorm`);
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: (name: string, value: Value) => void): Value {
    const afterNorm = this.#config.apply_residual_connection_post_layernorm;
    const at = this.#block(index);
    const normed = this.#layerNorm(g, x, `${at}input_layernorm`);
    const y = add(g, afterNorm ? normed : x, this.#attention(g, index, normed, tokens, tap));
    const normedAgain = this.#layerNorm(g, y, `${at}post_attention_layernorm`);
    return add(g, afterNorm ? normedAgain : y, this.#mlp(g, at, normedAgain, tap));
  }

  norm(g: GraphBuilder, x: Value): Value {
    return this.#layerNorm(g, x, `${this.#prefix}ln_f`);
  }

  logits(g: GraphBuilder, x: Value, vocabulary?: Rows): Value {
    return linear(g, x, this.#headWeight, { rows: vocabulary });
  }

  #attention(
    g: GraphBuilder,
    index: number,
    x: Value,
    tokens: Tokens,
    tap: (name: string, value: Value) => void,
  ): Value {
    const at = this.#block(index);
    tap('attn_in', x);
    const qkv = splitByHead(g, withBias(g, x, `${at}self_attention.query_key_value`), this.attention);
    const a = tokens.attention(index, qkv, this.attention);
    tap('attn_out', a);
    return withBias(g, a, `${at}self_attention.dense`);
  }

  #mlp(g: GraphBuilder, at: string, x: Value, tap: (name: string, value: Value) => void): Value {
    tap('mlp_in', x);
    const mid = activate(g, 'gelu-tanh', withBias(g, x, `${at}mlp.dense_h_to_4h`));
    tap('mlp_mid', mid);
    return withBias(g, mid, `${at}mlp.dense_4h_to_h`);
  }

  #layerNorm(g: GraphBuilder, x: Value, name: string): Value {
    const affine = { scale: `${name}.weight`, bias: `${name}.bias` };
    return layerNorm(g, x, { size: this.hidden, epsilon: this.#config.layer_norm_epsilon, affine });
  }

  #block(index: number): string {
    return `${this.#prefix}h.${index}.`;
  }
}

function withBias(g: GraphBuilder, x: Value, name: string): Value {
  return linear(g, x, `${name}.weight`, { bias: `${name}.bias` });
}

/**
 * ALiBi's slopes (arXiv 2108.12409) [heads]: 2^(-8 i / n), i = 1..n, of the largest power of two n <= heads; the heads beyond have
 * every second one of 2n heads. In the float32 steps in which transformers computes them.
 */
export function alibiSlopes(heads: number): Float32Array<ArrayBuffer> {
  const power = 2 ** Math.floor(Math.log2(heads));
  const slope = (of: number, i: number): number => Math.fround(2 ** (-8 / of)) ** i;
  return Float32Array.from({ length: heads }, (_, i) =>
    i < power ? slope(power, i + 1) : slope(2 * power, 2 * (i - power) + 1),
  );
}

/** Every tensor the graphs ask for, with its shape. */
function expectedTensors(
  { vocab_size: vocab, hidden, blocks }: Config,
  prefix: string,
  headWeight: string,
): [string, number[]][] {
  return [
    [`${prefix}word_embeddings.weight`, [vocab, hidden]],
    [headWeight, [vocab, hidden]],
    ...layerNormTensors(`${prefix}word_embeddings_layernorm`, hidden),
    ...layerNormTensors(`${prefix}ln_f`, hidden),
    ...Array.from({ length: blocks }, (_, i) => expectedBlock(`${prefix}h.${i}.`, hidden)).flat(),
  ];
}

function expectedBlock(at: string, hidden: number): [string, number[]][] {
  const sizes: Record<(typeof layerTypes)[number]['path'], [rows: number, cols: number]> = {
    'self_attention.query_key_value': [3 * hidden, hidden],
    'self_attention.dense': [hidden, hidden],
    'mlp.dense_h_to_4h': [4 * hidden, hidden],
    'mlp.dense_4h_to_h': [hidden, 4 * hidden],
  };
  return [
    ...Object.entries(sizes).flatMap(([path, [rows, cols]]): [string, number[]][] => [
      [`${at}${path}.weight`, [rows, cols]],
      [`${at}${path}.bias`, [rows]],
    ]),
    ...layerNormTensors(`${at}input_layernorm`, hidden),
    ...layerNormTensors(`${at}post_attention_layernorm`, hidden),
  ];
}
