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
import type { Rotary, Tokens } from '../../graph/tokens.ts';
import { activationOf, readConfig } from '../config.ts';
import {
  layerNormTensors,
  layersAt,
  requireTensor,
  tensorsAt,
  type FamilyModel,
  type Layer,
  type Source,
} from '../family.ts';
import { splitByHead } from '../fused.ts';
import { ropeOf, ropeSchema, rotaryOf, type Rope } from '../rope.ts';

/** Defaults as in transformers' GPTNeoXConfig; before its version 5 `rotary_pct`, `rotary_emb_base` and `rope_scaling` stood in the place of `rope_parameters`. */
export const gptNeoxConfigSchema = z.object({
  vocab_size: z.int().positive().default(50432),
  hidden_size: z.int().positive().default(6144),
  num_hidden_layers: z.int().positive().default(44),
  num_attention_heads: z.int().positive().default(64),
  intermediate_size: z.int().positive().default(24576),
  hidden_act: z.string().default('gelu'),
  max_position_embeddings: z.int().positive().default(2048),
  layer_norm_eps: z.number().positive().default(1e-5),
  tie_word_embeddings: z.boolean().default(false),
  use_parallel_residual: z.boolean().default(true),
  attention_bias: z.boolean().default(true),
  rotary_pct: z.number().positive().max(1).default(0.25),
  rotary_emb_base: z.number().positive().default(10000),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
});
type Config = z.infer<typeof gptNeoxConfigSchema>;

/** query_key_value's rows are [heads, 3, size]; it is compressed as the one layer that it is. */
const layerTypes = [
  { path: 'attention.query_key_value', tap: 'attn_in' },
  { path: 'attention.dense', tap: 'attn_out' },
  { path: 'mlp.dense_h_to_4h', tap: 'mlp_in' },
  { path: 'mlp.dense_4h_to_h', tap: 'mlp_mid' },
] as const;
type LayerPath = (typeof layerTypes)[number]['path'];

/** Masks and tables that older checkpoints hold and that follow from config.json. */
const ignored = /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/;

/**
 * GPT-NeoX (arXiv 2204.06745), Pythia among them, as in transformers' GPTNeoXForCausalLM: rotary positions on a part of each head,
 * attention and MLP beside each other (or one after the other), and queries, keys and values in one projection.
 */
export function openGptNeox(source: Source): FamilyModel {
  const config = readConfig(source, gptNeoxConfigSchema);
  const { hidden_size: hidden, num_attention_heads: heads } = config;
  if (hidden % heads !== 0) throw new TamisError('config.heads', { hidden, heads });
  const prefix = source.tensors.has('embed_in.weight') ? '' : 'gpt_neox.';
  const headWeight = headOf(source, config, prefix);
  for (const [name, shape] of expectedTensors(config, prefix, headWeight)) requireTensor(source, name, shape);
  return new GptNeox(source, config, prefix, headWeight);
}

/** transformers calls the head `lm_head` since its version 5 and still writes `embed_out`. */
function headOf({ tensors }: Source, config: Config, prefix: string): string {
  const named = ['embed_out.weight', 'lm_head.weight'].find((name) => tensors.has(name));
  return named ?? (config.tie_word_embeddings ? `${prefix}embed_in.weight` : 'embed_out.weight');
}

export function gptNeoxRope(config: Config): Rope {
  return ropeOf({
    ...config,
    rope_theta: config.rotary_emb_base,
    partial_rotary_factor: config.rotary_pct,
  });
}

class GptNeox implements FamilyModel {
  readonly family = 'gpt_neox';
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
  readonly #rotary: Rotary;

  constructor(source: Source, config: Config, prefix: string, headWeight: string) {
    const { hidden_size: hidden, num_attention_heads: heads } = config;
    this.blocks = config.num_hidden_layers;
    this.hidden = hidden;
    this.vocab = config.vocab_size;
    this.maxSeqlen = config.max_position_embeddings;
    this.attention = { heads, kvHeads: heads, size: hidden / heads };
    this.#tensors = source.tensors;
    this.#config = config;
    this.#prefix = prefix;
    this.#headWeight = headWeight;
    this.#activation = activationOf(config.hidden_act);
    this.#rotary = { heads, ...rotaryOf(gptNeoxRope(config), hidden / heads) };
  }

  layers(block: number): readonly Layer[] {
    return layersAt(this.#block(block), layerTypes);
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors).filter((name) => !ignored.test(name));
  }

  embed(g: GraphBuilder, ids: Value): Value {
    return embedding(g, `${this.#prefix}embed_in.weight`, ids);
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: (name: string, value: Value) => void): Value {
    const at = this.#block(index);
    const attention = this.#attention(g, index, this.#layerNorm(g, x, `${at}input_layernorm`), tokens, tap);
    const y = add(g, x, attention);
    const read = this.#config.use_parallel_residual ? x : y;
    return add(g, y, this.#mlp(g, at, this.#layerNorm(g, read, `${at}post_attention_layernorm`), tap));
  }

  norm(g: GraphBuilder, x: Value): Value {
    return this.#layerNorm(g, x, `${this.#prefix}final_layer_norm`);
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
    const [q, k, v] = splitByHead(g, this.#linear(g, x, at, 'attention.query_key_value'), this.attention);
    const turned = [tokens.rotate(q, this.#rotary), tokens.rotate(k, this.#rotary), v] as const;
    const a = tokens.attention(index, turned, this.attention);
    tap('attn_out', a);
    return this.#linear(g, a, at, 'attention.dense');
  }

  #mlp(g: GraphBuilder, at: string, x: Value, tap: (name: string, value: Value) => void): Value {
    tap('mlp_in', x);
    const mid = activate(g, this.#activation, this.#linear(g, x, at, 'mlp.dense_h_to_4h'));
    tap('mlp_mid', mid);
    return this.#linear(g, mid, at, 'mlp.dense_4h_to_h');
  }

  #linear(g: GraphBuilder, x: Value, at: string, path: LayerPath): Value {
    return linear(g, x, `${at}${path}.weight`, { bias: hasBias(this.#config, path) ? `${at}${path}.bias` : undefined });
  }

  #layerNorm(g: GraphBuilder, x: Value, name: string): Value {
    const affine = { scale: `${name}.weight`, bias: `${name}.bias` };
    return layerNorm(g, x, { size: this.hidden, epsilon: this.#config.layer_norm_eps, affine });
  }

  #block(index: number): string {
    return `${this.#prefix}layers.${index}.`;
  }
}

function hasBias({ attention_bias }: Config, path: LayerPath): boolean {
  return path.startsWith('mlp.') || attention_bias;
}

/** Every tensor the graphs ask for, with its shape. */
function expectedTensors(config: Config, prefix: string, headWeight: string): [string, number[]][] {
  const { vocab_size: vocab, hidden_size: hidden } = config;
  return [
    [`${prefix}embed_in.weight`, [vocab, hidden]],
    [headWeight, [vocab, hidden]],
    ...layerNormTensors(`${prefix}final_layer_norm`, hidden),
    ...Array.from({ length: config.num_hidden_layers }, (_, i) =>
      expectedBlock(config, `${prefix}layers.${i}.`),
    ).flat(),
  ];
}

function expectedBlock(config: Config, at: string): [string, number[]][] {
  const { hidden_size: hidden, intermediate_size: inner } = config;
  const sizes: Record<LayerPath, [rows: number, cols: number]> = {
    'attention.query_key_value': [3 * hidden, hidden],
    'attention.dense': [hidden, hidden],
    'mlp.dense_h_to_4h': [inner, hidden],
    'mlp.dense_4h_to_h': [hidden, inner],
  };
  const layers = layerTypes.flatMap(({ path }): [string, number[]][] => {
    const [rows, cols] = sizes[path];
    const bias: [string, number[]][] = hasBias(config, path) ? [[`${at}${path}.bias`, [rows]]] : [];
    return [[`${at}${path}.weight`, [rows, cols]], ...bias];
  });
  return [
    ...layers,
    ...layerNormTensors(`${at}input_layernorm`, hidden),
    ...layerNormTensors(`${at}post_attention_layernorm`, hidden),
  ];
}
