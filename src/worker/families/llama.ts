import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import type { GraphBuilder, Rows, Value } from '../graph/builder.ts';
import {
  activate,
  add,
  embedding,
  frequencies,
  linear,
  multiply,
  rmsNorm,
  type Activation,
  type AttentionShape,
  type Frequencies,
} from '../graph/operations.ts';
import type { Tokens } from '../graph/tokens.ts';
import { activationOf, readConfig } from './config.ts';
import { layersAt, requireTensor, tensorsAt, type FamilyModel, type Layer, type Source } from './family.ts';

/** `type` is the older name of `rope_type`. */
const ropeSchema = z.object({
  rope_theta: z.number().positive().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
});

/** Defaults as in transformers' LlamaConfig; before its version 5 `rope_theta` and `rope_scaling` stood in the place of `rope_parameters`. */
export const llamaConfigSchema = z.object({
  vocab_size: z.int().positive().default(32000),
  hidden_size: z.int().positive().default(4096),
  intermediate_size: z.int().positive().default(11008),
  num_hidden_layers: z.int().positive().default(32),
  num_attention_heads: z.int().positive().default(32),
  num_key_value_heads: z.int().positive().nullish(),
  head_dim: z.int().positive().multipleOf(2).nullish(),
  hidden_act: z.string().default('silu'),
  max_position_embeddings: z.int().positive().default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  rope_theta: z.number().positive().default(10000),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
});
type Config = z.infer<typeof llamaConfigSchema>;

const layerTypes = [
  { path: 'self_attn.q_proj', tap: 'attn_in' },
  { path: 'self_attn.k_proj', tap: 'attn_in' },
  { path: 'self_attn.v_proj', tap: 'attn_in' },
  { path: 'self_attn.o_proj', tap: 'attn_out' },
  { path: 'mlp.gate_proj', tap: 'mlp_in' },
  { path: 'mlp.up_proj', tap: 'mlp_in' },
  { path: 'mlp.down_proj', tap: 'mlp_mid' },
] as const;
type LayerPath = (typeof layerTypes)[number]['path'];

/**
 * LLaMA (arXiv 2302.13971, grouped-query attention 2307.09288) as in transformers' LlamaForCausalLM: RMS norms before attention and
 * MLP, rotary positions, SwiGLU.
 */
export function openLlama(source: Source): FamilyModel {
  const config = readConfig(source, llamaConfigSchema);
  const attention = attentionShape(config);
  refuse(config, attention);
  const prefix = source.tensors.has('embed_tokens.weight') ? '' : 'model.';
  const headWeight =
    source.tensors.has('lm_head.weight') || !config.tie_word_embeddings
      ? 'lm_head.weight'
      : `${prefix}embed_tokens.weight`;
  const model = new Llama(source, config, { attention, prefix, headWeight });
  for (const [name, shape] of model.expectedTensors()) requireTensor(source, name, shape);
  return model;
}

interface Derived {
  readonly attention: AttentionShape;
  readonly prefix: string;
  readonly headWeight: string;
}

class Llama implements FamilyModel {
  readonly family = 'llama';
  readonly defaultScheduler = 'relative-by-type';
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  readonly attention: AttentionShape;
  readonly #tensors: Source['tensors'];
  readonly #config: Config;
  readonly #prefix: string;
  readonly #headWeight: string;
  readonly #frequencies: Frequencies;
  readonly #activation: Activation;

  constructor(source: Source, config: Config, { attention, prefix, headWeight }: Derived) {
    this.blocks = config.num_hidden_layers;
    this.hidden = config.hidden_size;
    this.vocab = config.vocab_size;
    this.maxSeqlen = config.max_position_embeddings;
    this.attention = attention;
    this.#tensors = source.tensors;
    this.#config = config;
    this.#prefix = prefix;
    this.#headWeight = headWeight;
    this.#activation = activationOf(config.hidden_act);
    this.#frequencies = frequencies(attention.size, ropeOf(config).theta);
  }

  layers(block: number): readonly Layer[] {
    return layersAt(this.#block(block), layerTypes);
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors);
  }

  embed(g: GraphBuilder, ids: Value): Value {
    return embedding(g, `${this.#prefix}embed_tokens.weight`, ids);
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: (name: string, value: Value) => void): Value {
    const at = this.#block(index);
    const attention = this.#attention(g, index, this.#norm(g, x, `${at}input_layernorm`), tokens, tap);
    const y = add(g, x, attention);
    return add(g, y, this.#mlp(g, at, this.#norm(g, y, `${at}post_attention_layernorm`), tap));
  }

  norm(g: GraphBuilder, x: Value): Value {
    return this.#norm(g, x, `${this.#prefix}norm`);
  }

  logits(g: GraphBuilder, x: Value, vocabulary?: Rows): Value {
    return linear(g, x, this.#headWeight, { rows: vocabulary });
  }

  /** Every tensor the graphs ask for, with its shape. */
  expectedTensors(): [string, number[]][] {
    const { vocab, hidden } = this;
    const blocks = Array.from({ length: this.blocks }, (_, index) => this.#expectedBlock(this.#block(index)));
    return [
      [`${this.#prefix}embed_tokens.weight`, [vocab, hidden]],
      [`${this.#prefix}norm.weight`, [hidden]],
      [this.#headWeight, [vocab, hidden]],
      ...blocks.flat(),
    ];
  }

  #expectedBlock(at: string): [string, number[]][] {
    const layers = layerTypes.flatMap(({ path }): [string, number[]][] => {
      const [rows, cols] = this.#shape(path);
      const bias: [string, number[]][] = this.#hasBias(path) ? [[`${at}${path}.bias`, [rows]]] : [];
      return [[`${at}${path}.weight`, [rows, cols]], ...bias];
    });
    return [
      ...layers,
      [`${at}input_layernorm.weight`, [this.hidden]],
      [`${at}post_attention_layernorm.weight`, [this.hidden]],
    ];
  }

  #shape(path: LayerPath): [rows: number, cols: number] {
    const { heads, kvHeads, size } = this.attention;
    const inner = this.#config.intermediate_size;
    switch (path) {
      case 'self_attn.q_proj':
        return [heads * size, this.hidden];
      case 'self_attn.k_proj':
      case 'self_attn.v_proj':
        return [kvHeads * size, this.hidden];
      case 'self_attn.o_proj':
        return [this.hidden, heads * size];
      case 'mlp.gate_proj':
      case 'mlp.up_proj':
        return [inner, this.hidden];
      case 'mlp.down_proj':
        return [this.hidden, inner];
    }
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
    const q = this.#linear(g, x, at, 'self_attn.q_proj');
    const k = this.#linear(g, x, at, 'self_attn.k_proj');
    const v = this.#linear(g, x, at, 'self_attn.v_proj');
    const { heads, kvHeads, size } = this.attention;
    const rotary = { size, turned: size, frequencies: this.#frequencies };
    const turned = [
      tokens.rotate(q, { heads, ...rotary }),
      tokens.rotate(k, { heads: kvHeads, ...rotary }),
      v,
    ] as const;
    const a = tokens.attention(index, turned, this.attention);
    tap('attn_out', a);
    return this.#linear(g, a, at, 'self_attn.o_proj');
  }

  #mlp(g: GraphBuilder, at: string, x: Value, tap: (name: string, value: Value) => void): Value {
    tap('mlp_in', x);
    const gate = activate(g, this.#activation, this.#linear(g, x, at, 'mlp.gate_proj'));
    const mid = multiply(g, gate, this.#linear(g, x, at, 'mlp.up_proj'));
    tap('mlp_mid', mid);
    return this.#linear(g, mid, at, 'mlp.down_proj');
  }

  #linear(g: GraphBuilder, x: Value, at: string, path: LayerPath): Value {
    return linear(g, x, `${at}${path}.weight`, { bias: this.#hasBias(path) ? `${at}${path}.bias` : undefined });
  }

  #hasBias(path: LayerPath): boolean {
    return path.startsWith('mlp.') ? this.#config.mlp_bias : this.#config.attention_bias;
  }

  #norm(g: GraphBuilder, x: Value, name: string): Value {
    return rmsNorm(g, x, { scale: `${name}.weight`, epsilon: this.#config.rms_norm_eps });
  }

  #block(index: number): string {
    return `${this.#prefix}layers.${index}.`;
  }
}

export function attentionShape(config: Config): AttentionShape {
  const heads = config.num_attention_heads;
  return {
    heads,
    kvHeads: config.num_key_value_heads ?? heads,
    size: config.head_dim ?? Math.floor(config.hidden_size / heads),
  };
}

function refuse(config: Config, { heads, kvHeads }: AttentionShape): void {
  const { type } = ropeOf(config);
  if (type !== 'default') throw new TamisError('config.rope', { type, known: 'default' });
  if (!config.head_dim && config.hidden_size % heads !== 0)
    throw new TamisError('config.heads', { hidden: config.hidden_size, heads });
  if (heads % kvHeads !== 0) throw new TamisError('config.kv-heads', { heads, kvHeads });
}

export function ropeOf(config: Config): { type: string; theta: number } {
  const parameters = config.rope_parameters ?? config.rope_scaling ?? {};
  return {
    type: parameters.rope_type ?? parameters.type ?? 'default',
    theta: parameters.rope_theta ?? config.rope_theta,
  };
}
