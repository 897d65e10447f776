import { z } from 'zod';

import { TamisError } from '../../../contract/errors.ts';
import type { GraphBuilder, Rows, Value } from '../../graph/builder.ts';
import {
  activate,
  add,
  embedding,
  layerNorm,
  linear,
  slice,
  type Activation,
  type AttentionShape,
} from '../../graph/operations.ts';
import type { QueriesKeysValues, Tokens } from '../../graph/tokens.ts';
import { activationOf, readConfig } from '../config.ts';
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

/** Defaults as in transformers' GPT2Config, with the other names that it takes for its fields. */
const configSchema = z
  .object({
    vocab_size: z.int().positive().default(50257),
    n_positions: z.int().positive().optional(),
    max_position_embeddings: z.int().positive().optional(),
    n_embd: z.int().positive().optional(),
    hidden_size: z.int().positive().optional(),
    n_layer: z.int().positive().optional(),
    num_hidden_layers: z.int().positive().optional(),
    n_head: z.int().positive().optional(),
    num_attention_heads: z.int().positive().optional(),
    n_inner: z.int().positive().nullish(),
    activation_function: z.string().default('gelu_new'),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    scale_attn_weights: z.boolean().default(true),
    scale_attn_by_inverse_layer_idx: z.boolean().default(false),
    add_cross_attention: z.literal(false).default(false),
    tie_word_embeddings: z.boolean().default(true),
  })
  .transform((config) => {
    const hidden = config.n_embd ?? config.hidden_size ?? 768;
    return {
      ...config,
      hidden,
      inner: config.n_inner ?? 4 * hidden,
      blocks: config.n_layer ?? config.num_hidden_layers ?? 12,
      heads: config.n_head ?? config.num_attention_heads ?? 12,
      positions: config.n_positions ?? config.max_position_embeddings ?? 1024,
    };
  });
type Config = z.infer<typeof configSchema>;

/** Conv1D of transformers, whose weights are [in, out]. c_attn's rows are those of queries, keys and values one after another. */
const layerTypes = [
  { path: 'attn.c_attn', tap: 'attn_in' },
  { path: 'attn.c_proj', tap: 'attn_out', type: 'attn.c_proj' },
  { path: 'mlp.c_fc', tap: 'mlp_in' },
  { path: 'mlp.c_proj', tap: 'mlp_mid', type: 'mlp.c_proj' },
] as const;
type LayerPath = (typeof layerTypes)[number]['path'];

/** Masks that older checkpoints hold. */
const ignored = /\.attn\.(bias|masked_bias)$/;

/** GPT-2 as in transformers' GPT2LMHeadModel: learned positions, layer norms before attention and MLP. */
export function openGpt2(source: Source): FamilyModel {
  const config = readConfig(source, configSchema);
  const { hidden, heads } = config;
  if (hidden % heads !== 0) throw new TamisError('config.heads', { hidden, heads });
  const prefix = source.tensors.has('wte.weight') ? '' : 'transformer.';
  const headWeight = headTensor(source, `${prefix}wte.weight`, config.tie_word_embeddings);
  for (const [name, shape] of expectedTensors(config, prefix, headWeight)) requireTensor(source, name, shape);
  return new Gpt2(source, config, prefix, headWeight);
}

class Gpt2 implements FamilyModel {
  readonly family = 'gpt2';
  readonly defaultScheduler = 'relative-by-type';
  readonly ignored = ignored;
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  readonly attention: AttentionShape;
  readonly #tensors: Source['tensors'];
  readonly #config: Config;
  readonly #prefix: string;
  readonly #headWeight: string;
  readonly #activation: Activation;

  constructor(source: Source, config: Config, prefix: string, headWeight: string) {
    const { blocks, hidden, heads } = config;
    this.blocks = blocks;
    this.hidden = hidden;
    this.vocab = config.vocab_size;
    this.maxSeqlen = config.positions;
    this.attention = { heads, kvHeads: heads, size: hidden / heads };
    this.#tensors = source.tensors;
    this.#config = config;
    this.#prefix = prefix;
    this.#headWeight = headWeight;
    this.#activation = activationOf(config.activation_function);
  }

  layers(block: number): readonly Layer[] {
    return layersAt(this.#block(block), layerTypes).map((layer) => ({ ...layer, transposed: true }));
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors).filter((name) => !ignored.test(name));
  }

  embed(g: GraphBuilder, ids: Value, tokens: Tokens): Value {
    const words = embedding(g, `${this.#prefix}wte.weight`, ids);
    return tokens.addPositions(words, { table: `${this.#prefix}wpe.weight`, offset: 0, width: this.hidden });
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: (name: string, value: Value) => void): Value {
    const at = this.#block(index);
    const y = add(g, x, this.#attention(g, index, this.#layerNorm(g, x, `${at}ln_1`), tokens, tap));
    return add(g, y, this.#mlp(g, at, this.#layerNorm(g, y, `${at}ln_2`), tap));
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
    const qkv = conv1d(g, x, at, 'attn.c_attn');
    const part = (i: number): Value => slice(g, qkv, 1, { start: i * this.hidden, end: (i + 1) * this.hidden });
    const parts: QueriesKeysValues = [part(0), part(1), part(2)];
    const a = tokens.attention(index, parts, { ...this.attention, scale: this.#scale(index) });
    tap('attn_out', a);
    return conv1d(g, a, at, 'attn.c_proj');
  }

  #mlp(g: GraphBuilder, at: string, x: Value, tap: (name: string, value: Value) => void): Value {
    tap('mlp_in', x);
    const mid = activate(g, this.#activation, conv1d(g, x, at, 'mlp.c_fc'));
    tap('mlp_mid', mid);
    return conv1d(g, mid, at, 'mlp.c_proj');
  }

  /** Of the scores of a block. */
  #scale(index: number): number {
    const { scale_attn_weights, scale_attn_by_inverse_layer_idx } = this.#config;
    const bySize = scale_attn_weights ? Math.sqrt(1 / this.attention.size) : 1;
    return scale_attn_by_inverse_layer_idx ? bySize / (index + 1) : bySize;
  }

  #layerNorm(g: GraphBuilder, x: Value, name: string): Value {
    const affine = { scale: `${name}.weight`, bias: `${name}.bias` };
    return layerNorm(g, x, { size: this.hidden, epsilon: this.#config.layer_norm_epsilon, affine });
  }

  #block(index: number): string {
    return `${this.#prefix}h.${index}.`;
  }
}

function conv1d(g: GraphBuilder, x: Value, at: string, path: LayerPath): Value {
  return linear(g, x, `${at}${path}.weight`, { bias: `${at}${path}.bias`, transposed: true });
}

/** Every tensor the graphs ask for, with its shape. */
function expectedTensors(config: Config, prefix: string, headWeight: string): [string, number[]][] {
  const { vocab_size: vocab, hidden, positions, blocks } = config;
  return [
    [`${prefix}wte.weight`, [vocab, hidden]],
    [`${prefix}wpe.weight`, [positions, hidden]],
    [headWeight, [vocab, hidden]],
    ...layerNormTensors(`${prefix}ln_f`, hidden),
    ...Array.from({ length: blocks }, (_, i) => expectedBlock(config, `${prefix}h.${i}.`)).flat(),
  ];
}

function expectedBlock({ hidden, inner }: Config, at: string): [string, number[]][] {
  const sizes: Record<LayerPath, [cols: number, rows: number]> = {
    'attn.c_attn': [hidden, 3 * hidden],
    'attn.c_proj': [hidden, hidden],
    'mlp.c_fc': [hidden, inner],
    'mlp.c_proj': [inner, hidden],
  };
  return [
    ...Object.entries(sizes).flatMap(([path, [cols, rows]]): [string, number[]][] => [
      [`${at}${path}.weight`, [cols, rows]],
      [`${at}${path}.bias`, [rows]],
    ]),
    ...layerNormTensors(`${at}ln_1`, hidden),
    ...layerNormTensors(`${at}ln_2`, hidden),
  ];
}
