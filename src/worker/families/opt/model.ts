import { z } from 'zod';

import { TamisError } from '../../../contract/errors.ts';
import type { GraphBuilder, Rows, Value } from '../../graph/builder.ts';
import {
  activate,
  add,
  embedding,
  layerNorm,
  linear,
  type Activation,
  type AttentionShape,
} from '../../graph/operations.ts';
import type { Tokens } from '../../graph/tokens.ts';
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

/** Defaults as in transformers' OPTConfig. */
const configSchema = z.object({
  vocab_size: z.int().positive().default(50272),
  hidden_size: z.int().positive().default(768),
  num_hidden_layers: z.int().positive().default(12),
  ffn_dim: z.int().positive().default(3072),
  max_position_embeddings: z.int().positive().default(2048),
  do_layer_norm_before: z.boolean().default(true),
  _remove_final_layer_norm: z.boolean().default(false),
  word_embed_proj_dim: z.int().positive().nullish(),
  num_attention_heads: z.int().positive().default(12),
  activation_function: z.string().default('relu'),
  enable_bias: z.boolean().default(true),
  layer_norm_elementwise_affine: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(true),
});
type Config = z.infer<typeof configSchema> & { word_embed_proj_dim: number };

/** The learned positions' table starts with two rows that no token uses. */
const POSITION_OFFSET = 2;

const layerTypes = [
  { path: 'self_attn.q_proj', tap: 'attn_in' },
  { path: 'self_attn.k_proj', tap: 'attn_in' },
  { path: 'self_attn.v_proj', tap: 'attn_in' },
  { path: 'self_attn.out_proj', tap: 'attn_out' },
  { path: 'fc1', tap: 'mlp_in' },
  { path: 'fc2', tap: 'mlp_mid' },
] as const;

/**
 * OPT (arXiv 2205.01068) as in transformers' OPTForCausalLM: learned positions, ReLU, layer norms before (or, in OPT-350m, after)
 * attention and MLP, there with projections between the embedding's width and the blocks'.
 */
export function openOpt(source: Source): FamilyModel {
  const config = readOptConfig(source);
  const prefix = source.tensors.has('decoder.embed_tokens.weight') ? 'decoder.' : 'model.decoder.';
  const headWeight = headTensor(source, `${prefix}embed_tokens.weight`, config.tie_word_embeddings);
  for (const [name, shape] of expectedTensors(config, prefix, headWeight)) requireTensor(source, name, shape);
  const model = new Opt(source, config, prefix, headWeight);
  return model;
}

class Opt implements FamilyModel {
  readonly family = 'opt';
  readonly defaultScheduler = 'paper';
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
    this.blocks = config.num_hidden_layers;
    this.hidden = config.hidden_size;
    this.vocab = config.vocab_size;
    this.maxSeqlen = config.max_position_embeddings;
    const heads = config.num_attention_heads;
    this.attention = { heads, kvHeads: heads, size: config.hidden_size / heads };
    this.#tensors = source.tensors;
    this.#config = config;
    this.#prefix = prefix;
    this.#headWeight = headWeight;
    this.#activation = activationOf(config.activation_function);
  }

  layers(block: number): readonly Layer[] {
    return layersAt(this.#block(block), layerTypes);
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors);
  }

  embed(g: GraphBuilder, ids: Value, tokens: Tokens): Value {
    const projected = this.#config.word_embed_proj_dim !== this.hidden;
    const words = embedding(g, `${this.#prefix}embed_tokens.weight`, ids);
    const x = projected ? linear(g, words, `${this.#prefix}project_in.weight`) : words;
    return tokens.addPositions(x, {
      table: `${this.#prefix}embed_positions.weight`,
      offset: POSITION_OFFSET,
      width: this.hidden,
    });
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: (name: string, value: Value) => void): Value {
    const before = this.#config.do_layer_norm_before;
    const at = this.#block(index);
    const attention = this.#attention(
      g,
      index,
      before ? this.#layerNorm(g, x, `${at}self_attn_layer_norm`) : x,
      tokens,
      tap,
    );
    const sum = add(g, x, attention);
    const y = before ? sum : this.#layerNorm(g, sum, `${at}self_attn_layer_norm`);
    const mlp = this.#mlp(g, at, before ? this.#layerNorm(g, y, `${at}final_layer_norm`) : y, tap);
    const out = add(g, y, mlp);
    return before ? out : this.#layerNorm(g, out, `${at}final_layer_norm`);
  }

  norm(g: GraphBuilder, x: Value): Value {
    const normed = hasFinalNorm(this.#config) ? this.#layerNorm(g, x, `${this.#prefix}final_layer_norm`) : x;
    return this.#config.word_embed_proj_dim === this.hidden
      ? normed
      : linear(g, normed, `${this.#prefix}project_out.weight`);
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
    const q = this.#linear(g, x, `${at}self_attn.q_proj`);
    const k = this.#linear(g, x, `${at}self_attn.k_proj`);
    const v = this.#linear(g, x, `${at}self_attn.v_proj`);
    const a = tokens.attention(index, [q, k, v], this.attention);
    tap('attn_out', a);
    return this.#linear(g, a, `${at}self_attn.out_proj`);
  }

  #mlp(g: GraphBuilder, at: string, x: Value, tap: (name: string, value: Value) => void): Value {
    tap('mlp_in', x);
    const mid = activate(g, this.#activation, this.#linear(g, x, `${at}fc1`));
    tap('mlp_mid', mid);
    return this.#linear(g, mid, `${at}fc2`);
  }

  #linear(g: GraphBuilder, x: Value, name: string): Value {
    return linear(g, x, `${name}.weight`, { bias: this.#config.enable_bias ? `${name}.bias` : undefined });
  }

  #layerNorm(g: GraphBuilder, x: Value, name: string): Value {
    const affine = { scale: `${name}.weight`, bias: `${name}.bias` };
    return layerNorm(g, x, {
      size: this.hidden,
      epsilon: 1e-5,
      affine: this.#config.layer_norm_elementwise_affine ? affine : undefined,
    });
  }

  #block(index: number): string {
    return `${this.#prefix}layers.${index}.`;
  }
}

function readOptConfig(source: Source): Config {
  const config = readConfig(source, configSchema);
  if (config.hidden_size % config.num_attention_heads !== 0) {
    throw new TamisError('config.heads', { hidden: config.hidden_size, heads: config.num_attention_heads });
  }
  return { ...config, word_embed_proj_dim: config.word_embed_proj_dim ?? config.hidden_size };
}

function hasFinalNorm(config: Config): boolean {
  return config.do_layer_norm_before && !config._remove_final_layer_norm;
}

/** Every tensor the graphs ask for, with its shape. */
function expectedTensors(config: Config, prefix: string, headWeight: string): [string, number[]][] {
  const { hidden_size: hidden, word_embed_proj_dim: width, vocab_size: vocab } = config;
  const whole: [string, number[]][] = [
    [`${prefix}embed_tokens.weight`, [vocab, width]],
    [`${prefix}embed_positions.weight`, [config.max_position_embeddings + POSITION_OFFSET, hidden]],
    [headWeight, [vocab, width]],
    ...(hasFinalNorm(config) ? expectedNorm(config, `${prefix}final_layer_norm`) : []),
  ];
  if (width !== hidden) {
    whole.push([`${prefix}project_in.weight`, [hidden, width]], [`${prefix}project_out.weight`, [width, hidden]]);
  }
  const blocks = Array.from({ length: config.num_hidden_layers }, (_, i) =>
    expectedBlock(config, `${prefix}layers.${i}.`),
  );
  return [...whole, ...blocks.flat()];
}

function expectedBlock(config: Config, at: string): [string, number[]][] {
  const layers = layerTypes.flatMap(({ path }): [string, number[]][] => {
    const rows = path === 'fc1' ? config.ffn_dim : config.hidden_size;
    const cols = path === 'fc2' ? config.ffn_dim : config.hidden_size;
    const bias: [string, number[]][] = config.enable_bias ? [[`${at}${path}.bias`, [rows]]] : [];
    return [[`${at}${path}.weight`, [rows, cols]], ...bias];
  });
  return [
    ...layers,
    ...expectedNorm(config, `${at}self_attn_layer_norm`),
    ...expectedNorm(config, `${at}final_layer_norm`),
  ];
}

function expectedNorm(config: Config, name: string): [string, number[]][] {
  return config.layer_norm_elementwise_affine ? layerNormTensors(name, config.hidden_size) : [];
}
